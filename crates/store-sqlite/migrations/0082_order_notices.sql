-- When an order had been given to somebody, as far as a channel was told: written in the transaction that keeps the
-- message.
CREATE TABLE order_mark (
    channel    INTEGER NOT NULL,
    work_order INTEGER NOT NULL,
    given_ms   INTEGER NOT NULL,
    PRIMARY KEY (channel, work_order)
) STRICT, WITHOUT ROWID;
