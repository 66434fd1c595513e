-- What was found on pictures: one row a class of fault of a camera, from its first finding to its last.
CREATE TABLE picture_finding (
    camera     INTEGER NOT NULL,
    cause      TEXT    NOT NULL,
    since_ms   INTEGER NOT NULL,
    until_ms   INTEGER,
    level      TEXT    NOT NULL,
    confidence REAL    NOT NULL,
    measured   REAL    NOT NULL,
    threshold  REAL    NOT NULL,
    -- Cells of the grid, in the form of the diagnosis.
    region     BLOB    NOT NULL,
    -- A camera that shows the same.
    twin       INTEGER,
    detail     TEXT    NOT NULL,
    PRIMARY KEY (camera, since_ms, cause)
) STRICT, WITHOUT ROWID;

CREATE INDEX picture_finding_open ON picture_finding (camera) WHERE until_ms IS NULL;

-- What people set for one camera's diagnosis; a class without a row is judged as on every camera.
CREATE TABLE picture_setting (
    camera INTEGER NOT NULL,
    cause  TEXT    NOT NULL,
    off    INTEGER NOT NULL,
    -- The limit that holds for this camera.
    "limit" REAL,
    who    TEXT    NOT NULL,
    at_ms  INTEGER NOT NULL,
    PRIMARY KEY (camera, cause)
) STRICT, WITHOUT ROWID;
