-- Changes of the register that can be taken back.
CREATE TABLE register_change (
    id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    at_ms   INTEGER NOT NULL,
    by_name TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    detail  TEXT    NOT NULL,
    added   INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    undoes  INTEGER UNIQUE,
    -- JSON: the records as they were before; camera accounts in it are encrypted as in the table camera.
    before  TEXT    NOT NULL
) STRICT;
