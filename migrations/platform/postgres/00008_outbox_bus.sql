-- +goose Up

-- The bus that the module's events were published on last. Where a relay finds another one than its own, what is not known to be
-- consumed is sent again. That is why outbox.settled tells two ways of being done apart: 1, acked by every group; 2, stored by a bus
-- that keeps messages.
CREATE TABLE outbox_bus (
    one    BIGINT  PRIMARY KEY CHECK (one = 1),
    bus    TEXT    NOT NULL
);

-- +goose Down
DROP TABLE outbox_bus;
