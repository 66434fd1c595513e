-- Channels of notification.
CREATE TABLE channel (
    -- Numbers are never reused: the log of deliveries names them.
    id      INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    name    TEXT    NOT NULL,
    kind    TEXT    NOT NULL,
    enabled INTEGER NOT NULL,
    -- JSON.
    route   TEXT    NOT NULL,
    -- What may be shown of its target.
    shown   TEXT    NOT NULL,
    -- Address, tokens and passwords, encrypted with the key beside the database.
    target  BLOB    NOT NULL
) STRICT;

-- What each channel was told of each incident: written in the transaction that keeps the message.
CREATE TABLE notice_mark (
    channel  INTEGER NOT NULL,
    incident INTEGER NOT NULL,
    -- JSON.
    mark     TEXT    NOT NULL,
    PRIMARY KEY (channel, incident)
) STRICT, WITHOUT ROWID;

-- Messages on their way and at their end.
CREATE TABLE delivery (
    id       INTEGER NOT NULL PRIMARY KEY AUTOINCREMENT,
    channel  INTEGER NOT NULL,
    at_ms    INTEGER NOT NULL,
    body     TEXT    NOT NULL,
    state    TEXT    NOT NULL,
    attempts INTEGER NOT NULL,
    next_ms  INTEGER NOT NULL,
    error    TEXT    NOT NULL,
    ended_ms INTEGER
) STRICT;

CREATE INDEX delivery_under_way ON delivery (channel, id) WHERE ended_ms IS NULL;
CREATE INDEX delivery_of_channel ON delivery (channel, id);
CREATE INDEX delivery_made ON delivery (at_ms);
CREATE INDEX delivery_ended ON delivery (ended_ms);
