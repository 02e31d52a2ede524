-- +goose Up

-- One ticket per order. A row without a restaurant is a tombstone: its creation was cancelled before it came.
CREATE TABLE ticket (
    order_id            TEXT    NOT NULL PRIMARY KEY,
    version             INTEGER NOT NULL,
    state               TEXT    NOT NULL,
    reason              TEXT    NOT NULL DEFAULT '',
    missing_items       TEXT    NOT NULL DEFAULT '', -- JSON array of item ids, or empty
    restaurant_id       TEXT    NOT NULL DEFAULT '',
    consumer_id         TEXT    NOT NULL DEFAULT '',
    lines               TEXT    NOT NULL DEFAULT '[]', -- JSON array of {item_id, name, quantity, options}
    notes               TEXT    NOT NULL DEFAULT '',
    pickup_code         TEXT    NOT NULL DEFAULT '',
    preparation_seconds INTEGER NOT NULL DEFAULT 0,
    cancel_id           TEXT    NOT NULL DEFAULT '',
    state_before        TEXT    NOT NULL DEFAULT '',
    promised            INTEGER NOT NULL DEFAULT 0,
    handed_over         INTEGER NOT NULL DEFAULT 0,
    accept_by           INTEGER, -- instants are microseconds of UTC, on the domain clock
    ready_by            INTEGER,
    ready_at            INTEGER,
    created_at          INTEGER NOT NULL,
    updated_at          INTEGER NOT NULL
) STRICT;

-- The board of a restaurant, and how many tickets are in preparation there. Ended tickets, which are most, stay out.
CREATE INDEX ticket_open ON ticket (restaurant_id, created_at, order_id)
    WHERE state IN ('AWAITING_ACCEPTANCE', 'ACCEPTED', 'PREPARING', 'READY', 'CANCEL_PENDING');

-- The history of a restaurant. Its columns never change, so only an insert pays for it.
CREATE INDEX ticket_by_restaurant ON ticket (restaurant_id, created_at, order_id);

-- Cancels that were taken back: their BeginCancel, should it arrive late, is refused.
CREATE TABLE undone_cancel (
    order_id  TEXT    NOT NULL,
    cancel_id TEXT    NOT NULL,
    undone_at INTEGER NOT NULL,
    PRIMARY KEY (order_id, cancel_id)
) STRICT, WITHOUT ROWID;

-- What a restaurant has set for its kitchen; without a row the defaults hold.
CREATE TABLE kitchen (
    restaurant_id TEXT    NOT NULL PRIMARY KEY,
    version       INTEGER NOT NULL,
    capacity      INTEGER NOT NULL, -- tickets in preparation at a time; 0 is no limit
    updated_at    INTEGER NOT NULL
) STRICT;
