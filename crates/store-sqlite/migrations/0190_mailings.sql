-- Reports that go out by mail again and again.
CREATE TABLE mailing (
    -- Numbers are never reused: the log of sendings names them.
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name       TEXT    NOT NULL,
    enabled    INTEGER NOT NULL,
    -- JSON.
    plan       TEXT    NOT NULL,
    changed_ms INTEGER NOT NULL
) STRICT;

-- Each report that was due: on its way, or at its end. One period of a mailing is due once, whatever happens.
CREATE TABLE sending (
    id       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    mailing  INTEGER NOT NULL,
    from_ms  INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    state    TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    next_ms  INTEGER NOT NULL,
    error    TEXT    NOT NULL,
    ended_ms INTEGER,
    UNIQUE (mailing, from_ms, until_ms)
) STRICT;

CREATE INDEX sending_under_way ON sending (next_ms) WHERE ended_ms IS NULL;
CREATE INDEX sending_ended ON sending (ended_ms);
