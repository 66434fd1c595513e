-- Tokens of machines. They stay when they are revoked: the audit log names them.
CREATE TABLE token (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- SHA-256 of the token; the token itself is never stored.
    hash       BLOB    NOT NULL UNIQUE,
    name       TEXT    NOT NULL UNIQUE,
    role       TEXT    NOT NULL,
    -- JSON lists of numbers.
    towns      TEXT    NOT NULL,
    sites      TEXT    NOT NULL,
    maker      TEXT    NOT NULL,
    created_ms INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    used_ms    INTEGER,
    revoked_ms INTEGER
) STRICT;

CREATE TABLE second_factor (
    user      INTEGER NOT NULL PRIMARY KEY REFERENCES user (id),
    -- The shared secret, encrypted with the key beside the database.
    secret    BLOB    NOT NULL,
    since_ms  INTEGER NOT NULL,
    used_step INTEGER NOT NULL
) STRICT;

CREATE TABLE recovery_code (
    user INTEGER NOT NULL REFERENCES user (id),
    hash BLOB    NOT NULL,
    PRIMARY KEY (user, hash)
) STRICT, WITHOUT ROWID;
