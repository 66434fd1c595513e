-- The availability ledger: made from status_interval and excuse, and made again from them whenever they change.

-- How far each camera is rolled up. Whatever changes the past of a camera lowers it in the same transaction.
CREATE TABLE ledger_mark (
    camera  INTEGER NOT NULL PRIMARY KEY,
    upto_ms INTEGER NOT NULL
) STRICT;

-- Sums of one hour (level 0), day (1) or month (2) of one camera. Times in milliseconds; s_… are samples.
CREATE TABLE ledger_roll (
    level           INTEGER NOT NULL,
    start_ms        INTEGER NOT NULL,
    camera          INTEGER NOT NULL,
    online          INTEGER NOT NULL,
    impaired        INTEGER NOT NULL,
    offline         INTEGER NOT NULL,
    unknown         INTEGER NOT NULL,
    paused          INTEGER NOT NULL,
    excused         INTEGER NOT NULL,
    s_online        INTEGER NOT NULL,
    s_impaired      INTEGER NOT NULL,
    s_offline       INTEGER NOT NULL,
    s_unknown       INTEGER NOT NULL,
    s_paused        INTEGER NOT NULL,
    s_excused       INTEGER NOT NULL,
    day_up          INTEGER NOT NULL,
    day_judged      INTEGER NOT NULL,
    days_complete   INTEGER NOT NULL,
    days_incomplete INTEGER NOT NULL,
    standing        INTEGER NOT NULL,
    began           INTEGER NOT NULL,
    repeats         INTEGER NOT NULL,
    ended           INTEGER NOT NULL,
    repair_ms       INTEGER NOT NULL,
    due             INTEGER NOT NULL,
    in_time         INTEGER NOT NULL,
    stored          INTEGER NOT NULL,
    gaps            INTEGER NOT NULL,
    -- Only of days: what the next day must know.
    outage_since    INTEGER,
    outage_down     INTEGER,
    last_end        INTEGER,
    PRIMARY KEY (level, start_ms, camera)
) STRICT, WITHOUT ROWID;

-- Time with a fault of the picture, by class; few cameras have one.
CREATE TABLE ledger_picture (
    level    INTEGER NOT NULL,
    start_ms INTEGER NOT NULL,
    camera   INTEGER NOT NULL,
    cause    TEXT    NOT NULL,
    millis   INTEGER NOT NULL,
    PRIMARY KEY (level, start_ms, camera, cause)
) STRICT, WITHOUT ROWID;

-- Snapshots as the archive counted them; the archive forgets after a while, and keeps no counts.
CREATE TABLE ledger_snapshots (
    hour_ms INTEGER NOT NULL,
    camera  INTEGER NOT NULL,
    stored  INTEGER NOT NULL,
    gaps    INTEGER NOT NULL,
    PRIMARY KEY (hour_ms, camera)
) STRICT, WITHOUT ROWID;

-- Time that a person took out of the figures.
CREATE TABLE excuse (
    camera      INTEGER NOT NULL,
    from_ms     INTEGER NOT NULL,
    until_ms    INTEGER NOT NULL,
    kind        TEXT    NOT NULL,
    by_whom     TEXT    NOT NULL,
    reason      TEXT    NOT NULL,
    recorded_ms INTEGER NOT NULL,
    PRIMARY KEY (camera, from_ms, until_ms, kind)
) STRICT, WITHOUT ROWID;

CREATE INDEX excuse_by_end ON excuse (until_ms);

-- What the roll-ups were made by, as JSON.
CREATE TABLE ledger_rules (
    id   INTEGER NOT NULL PRIMARY KEY CHECK (id = 1),
    body TEXT    NOT NULL
) STRICT;

-- Months as they were reported. Each hash covers the one before.
CREATE TABLE ledger_frozen (
    month_ms  INTEGER NOT NULL PRIMARY KEY,
    until_ms  INTEGER NOT NULL,
    frozen_ms INTEGER NOT NULL,
    rules     TEXT    NOT NULL,
    body      TEXT    NOT NULL,
    hash      BLOB    NOT NULL
) STRICT;

CREATE TRIGGER frozen_months_are_never_changed BEFORE UPDATE ON ledger_frozen
BEGIN
    SELECT RAISE(ABORT, 'a frozen month cannot be changed');
END;

CREATE TRIGGER frozen_months_are_never_deleted BEFORE DELETE ON ledger_frozen
BEGIN
    SELECT RAISE(ABORT, 'a frozen month cannot be deleted');
END;
