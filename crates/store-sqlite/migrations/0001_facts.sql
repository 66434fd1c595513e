-- Times are milliseconds since 1970-01-01 UTC. Code words are those of the API.

-- The register ----------------------------------------------------------------------------------------------

CREATE TABLE town (
    id   INTEGER NOT NULL PRIMARY KEY,
    name TEXT    NOT NULL
) STRICT;

CREATE TABLE site (
    id        INTEGER NOT NULL PRIMARY KEY,
    name      TEXT    NOT NULL,
    kind      TEXT    NOT NULL,
    town      INTEGER NOT NULL REFERENCES town (id),
    stat_code TEXT
) STRICT;

CREATE TABLE uplink (
    id          INTEGER NOT NULL PRIMARY KEY,
    name        TEXT    NOT NULL,
    olt         TEXT,
    budget_kbps INTEGER
) STRICT;

CREATE TABLE camera (
    id                 INTEGER NOT NULL PRIMARY KEY,
    name               TEXT    NOT NULL,
    site               INTEGER NOT NULL REFERENCES site (id),
    uplink             INTEGER REFERENCES uplink (id),
    gb_code            TEXT,
    main_url           TEXT    NOT NULL,
    sub_url            TEXT,
    -- User name and password, encrypted with the key beside the database.
    account            BLOB,
    transport          TEXT    NOT NULL,
    life_cycle         TEXT    NOT NULL,
    place_code         TEXT,
    address            TEXT,
    longitude          REAL,
    latitude           REAL,
    coordinates_source TEXT,
    power_source       TEXT,
    power_contact      TEXT,
    power_phone        TEXT,
    onu_serial         TEXT,
    vendor             TEXT,
    model              TEXT,
    serial             TEXT,
    mac                TEXT,
    installed          TEXT,
    upkeep_unit        TEXT,
    upkeep_phone       TEXT,
    changed_ms         INTEGER NOT NULL
) STRICT;

-- What happened ---------------------------------------------------------------------------------------------

-- The truth about availability. Keyed by (time, camera): a batch of changes touches the newest page or two
-- instead of one page per camera. No reference to camera: a fact is kept even if the register forgot its camera.
CREATE TABLE status_interval (
    from_ms  INTEGER NOT NULL,
    camera   INTEGER NOT NULL,
    until_ms INTEGER,
    -- What the change claimed as its time, where our clock had been set back and from_ms had to be later.
    told_ms  INTEGER,
    status   TEXT    NOT NULL,
    layer    TEXT,
    cause    TEXT,
    detail   TEXT    NOT NULL,
    PRIMARY KEY (from_ms, camera)
) STRICT, WITHOUT ROWID;

-- One camera's history. It does scatter writes over one page per camera, which the key above avoids; affordable
-- because only changes are stored here (a few thousand a day), not samples (a million).
CREATE INDEX status_interval_of_camera ON status_interval (camera, from_ms);

-- What holds now: one row per camera that ever had a status, and never two.
CREATE UNIQUE INDEX status_interval_open ON status_interval (camera) WHERE until_ms IS NULL;

-- When we were last alive and judging.
CREATE TABLE alive (
    id    INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    at_ms INTEGER NOT NULL
) STRICT;

CREATE TABLE incident (
    id          INTEGER NOT NULL PRIMARY KEY,
    opened_ms   INTEGER NOT NULL,
    resolved_ms INTEGER,
    scope_kind  TEXT    NOT NULL,
    scope_id    TEXT    NOT NULL,
    -- The whole incident as JSON; the other columns are for finding it.
    body        TEXT    NOT NULL
) STRICT;

CREATE INDEX incident_newest ON incident (opened_ms, id);
CREATE INDEX incident_open ON incident (opened_ms, id) WHERE resolved_ms IS NULL;
CREATE INDEX incident_of_scope ON incident (scope_kind, scope_id, opened_ms, id);

CREATE TABLE incident_member (
    camera   INTEGER NOT NULL,
    incident INTEGER NOT NULL REFERENCES incident (id),
    PRIMARY KEY (camera, incident)
) STRICT, WITHOUT ROWID;

CREATE INDEX incident_member_of ON incident_member (incident);

-- People ----------------------------------------------------------------------------------------------------

CREATE TABLE user (
    -- Numbers are never reused: the audit log and old sessions name them.
    id                   INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name                 TEXT    NOT NULL,
    -- The name in lower case.
    folded               TEXT    NOT NULL UNIQUE,
    full_name            TEXT    NOT NULL,
    unit                 TEXT    NOT NULL,
    role                 TEXT    NOT NULL,
    -- JSON lists of numbers.
    towns                TEXT    NOT NULL,
    sites                TEXT    NOT NULL,
    password_hash        TEXT    NOT NULL,
    must_change_password INTEGER NOT NULL,
    active               INTEGER NOT NULL,
    expires_ms           INTEGER,
    created_ms           INTEGER NOT NULL
) STRICT;

CREATE TABLE session (
    -- SHA-256 of the token; the token itself is never stored.
    token_hash BLOB    NOT NULL PRIMARY KEY,
    user       INTEGER NOT NULL REFERENCES user (id),
    created_ms INTEGER NOT NULL,
    used_ms    INTEGER NOT NULL,
    expires_ms INTEGER NOT NULL,
    address    TEXT    NOT NULL,
    agent      TEXT    NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX session_of_user ON session (user);
CREATE INDEX session_expiry ON session (expires_ms);

-- The audit log: append only, each record's hash covers the one before.
CREATE TABLE audit (
    seq        INTEGER NOT NULL PRIMARY KEY,
    at_ms      INTEGER NOT NULL,
    who        TEXT    NOT NULL,
    who_detail TEXT    NOT NULL,
    address    TEXT    NOT NULL,
    action     TEXT    NOT NULL,
    object     TEXT    NOT NULL,
    reason     TEXT    NOT NULL,
    success    INTEGER NOT NULL,
    detail     TEXT    NOT NULL,
    hash       BLOB    NOT NULL
) STRICT;

CREATE INDEX audit_by_who ON audit (who, seq);
CREATE INDEX audit_by_action ON audit (action, seq);

CREATE TRIGGER audit_is_never_changed BEFORE UPDATE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log cannot be changed');
END;

CREATE TRIGGER audit_is_never_deleted BEFORE DELETE ON audit
BEGIN
    SELECT RAISE(ABORT, 'the audit log cannot be deleted');
END;

-- How far the log goes, sealed with the key beside the database, so that cutting off its end shows too.
CREATE TABLE audit_head (
    id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seq  INTEGER NOT NULL,
    seal BLOB    NOT NULL
) STRICT;

-- Proof that the key beside the database is the one it was written with.
CREATE TABLE key_check (
    id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    seal BLOB    NOT NULL
) STRICT;
