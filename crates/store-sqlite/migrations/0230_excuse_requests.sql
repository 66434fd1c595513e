-- Excuses handed in after the fact, and what another person decided. Kept for ever: their numbers stand in the lines of
-- the table excuse that a granted one brings.
CREATE TABLE excuse_request (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    scope_kind TEXT    NOT NULL,
    scope_id   TEXT    NOT NULL,
    from_ms    INTEGER NOT NULL,
    until_ms   INTEGER NOT NULL,
    kind       TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    by_name    TEXT    NOT NULL,
    at_ms      INTEGER NOT NULL,
    -- All or none of these: decided, or not yet.
    granted    INTEGER,
    decided_by TEXT,
    decided_ms INTEGER,
    note       TEXT
) STRICT;

CREATE INDEX excuse_request_by_end ON excuse_request (until_ms);
