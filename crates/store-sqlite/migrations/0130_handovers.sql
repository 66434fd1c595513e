-- Shifts handed over 交接班.
CREATE TABLE handover (
    id       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    from_ms  INTEGER NOT NULL,
    until_ms INTEGER NOT NULL,
    -- Which part of the county the shift watched: towns and sites as JSON, sorted.
    part     TEXT    NOT NULL,
    -- Who handed over and who took over, as JSON.
    given    TEXT    NOT NULL,
    taken    TEXT,
    -- What the shift was like, as it was told.
    report   TEXT    NOT NULL
) STRICT;

CREATE INDEX handover_by_part ON handover (part, id);
