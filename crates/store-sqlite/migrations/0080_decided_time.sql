-- What people decided about time: each line says from what it comes, so that it follows when that changes. '' was
-- handed in by itself; 'W12' is a maintenance window, 'G7' a work order.
CREATE TABLE excuse_of (
    camera      INTEGER NOT NULL,
    from_ms     INTEGER NOT NULL,
    until_ms    INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    by_whom     TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    recorded_ms INTEGER NOT NULL,
    source      TEXT    NOT NULL,
    PRIMARY KEY (camera, from_ms, until_ms, kind, source)
) STRICT, WITHOUT ROWID;

INSERT INTO excuse_of SELECT camera, from_ms, until_ms, kind, by_whom, reason, recorded_ms, '' FROM excuse;
DROP TABLE excuse;
ALTER TABLE excuse_of RENAME TO excuse;

CREATE INDEX excuse_by_end ON excuse (until_ms);
CREATE INDEX excuse_by_source ON excuse (source) WHERE source <> '';

-- Up to when the ledger has taken a window in; NULL before it does for the first time.
ALTER TABLE maintenance_window ADD COLUMN counted_ms INTEGER;
