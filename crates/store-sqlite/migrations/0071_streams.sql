-- What a stream is made of from an instant on; a row whenever it changed.
CREATE TABLE stream_format (
    camera  INTEGER NOT NULL,
    stream  TEXT    NOT NULL,
    from_ms INTEGER NOT NULL,
    codec   TEXT    NOT NULL,
    -- As the parameter sets number them.
    profile INTEGER,
    level   INTEGER,
    width   INTEGER NOT NULL,
    height  INTEGER NOT NULL,
    PRIMARY KEY (camera, stream, from_ms)
) STRICT, WITHOUT ROWID;

-- The certificate that a camera with rtsps is held to.
CREATE TABLE camera_certificate (
    camera  INTEGER NOT NULL PRIMARY KEY,
    sha256  BLOB    NOT NULL CHECK (length(sha256) = 32),
    seen_ms INTEGER NOT NULL
) STRICT;
