-- Planned maintenance. Kept for ever: the ledger reads which time was excused, by whom and why.
CREATE TABLE maintenance_window (
    -- Numbers are never reused: status details and the audit log name them.
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    scope_kind TEXT    NOT NULL,
    scope_id   TEXT    NOT NULL,
    from_ms    INTEGER NOT NULL,
    until_ms   INTEGER NOT NULL,
    -- Ended early; before from_ms: called off.
    ended_ms   INTEGER,
    ended_by   TEXT,
    reason     TEXT    NOT NULL,
    by_name    TEXT    NOT NULL,
    excused    INTEGER NOT NULL,
    created_ms INTEGER NOT NULL
) STRICT;

CREATE INDEX maintenance_window_end ON maintenance_window (until_ms);
