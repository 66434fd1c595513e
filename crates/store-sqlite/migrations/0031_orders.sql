-- Work orders: the whole as JSON, with the columns that find it.
CREATE TABLE work_order (
    -- Numbers are never reused.
    id              INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    -- Compared at each change, so that two people do not overwrite each other.
    version         INTEGER NOT NULL,
    incident        INTEGER NOT NULL,
    state           TEXT    NOT NULL,
    opened_ms       INTEGER NOT NULL,
    closed_ms       INTEGER,
    -- Who is to do it: a user's number or a unit's name.
    technician      INTEGER,
    contractor      TEXT,
    body            TEXT    NOT NULL
) STRICT;

CREATE INDEX work_order_newest ON work_order (opened_ms, id);
CREATE INDEX work_order_open ON work_order (opened_ms, id) WHERE closed_ms IS NULL;
CREATE INDEX work_order_of_incident ON work_order (incident);
CREATE INDEX work_order_closed ON work_order (closed_ms);

-- Pictures of an order: before, after, and photographs of the place. In the database, so that an order and its
-- pictures are written, kept and backed up together.
CREATE TABLE order_picture (
    id         INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    work_order INTEGER NOT NULL REFERENCES work_order (id),
    kind       TEXT    NOT NULL,
    camera     INTEGER,
    at_ms      INTEGER NOT NULL,
    by_name    TEXT    NOT NULL,
    note       TEXT    NOT NULL,
    jpeg       BLOB    NOT NULL
) STRICT;

CREATE INDEX order_picture_of ON order_picture (work_order, id);

-- What technicians found, one finding an incident; the newest counts.
CREATE TABLE confirmed_cause (
    incident  INTEGER NOT NULL PRIMARY KEY,
    suggested TEXT    NOT NULL,
    found     TEXT    NOT NULL,
    note      TEXT    NOT NULL,
    by_name   TEXT    NOT NULL,
    at_ms     INTEGER NOT NULL
) STRICT;
