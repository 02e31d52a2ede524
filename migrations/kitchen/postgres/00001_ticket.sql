-- +goose Up

-- One ticket per order. A row without a restaurant is a tombstone: its creation was cancelled before it came.
CREATE TABLE ticket (
    order_id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version             BIGINT           NOT NULL,
    state               TEXT             NOT NULL,
    reason              TEXT             NOT NULL DEFAULT '',
    missing_items       TEXT             NOT NULL DEFAULT '', -- JSON array of item ids, or empty
    restaurant_id       TEXT COLLATE "C" NOT NULL DEFAULT '',
    consumer_id         TEXT             NOT NULL DEFAULT '',
    lines               TEXT             NOT NULL DEFAULT '[]', -- JSON array of {item_id, name, quantity, options}
    notes               TEXT             NOT NULL DEFAULT '',
    pickup_code         TEXT             NOT NULL DEFAULT '',
    preparation_seconds BIGINT           NOT NULL DEFAULT 0,
    cancel_id           TEXT             NOT NULL DEFAULT '',
    state_before        TEXT             NOT NULL DEFAULT '',
    promised            BIGINT           NOT NULL DEFAULT 0,
    handed_over         BIGINT           NOT NULL DEFAULT 0,
    accept_by           BIGINT, -- instants are microseconds of UTC, on the domain clock
    ready_by            BIGINT,
    ready_at            BIGINT,
    created_at          BIGINT           NOT NULL,
    updated_at          BIGINT           NOT NULL
);

-- The board of a restaurant, and how many tickets are in preparation there. Ended tickets, which are most, stay out.
CREATE INDEX ticket_open ON ticket (restaurant_id, created_at, order_id)
    WHERE state IN ('AWAITING_ACCEPTANCE', 'ACCEPTED', 'PREPARING', 'READY', 'CANCEL_PENDING');

-- The history of a restaurant. Its columns never change, so only an insert pays for it.
CREATE INDEX ticket_by_restaurant ON ticket (restaurant_id, created_at, order_id);

-- Cancels that were taken back: their BeginCancel, should it arrive late, is refused.
CREATE TABLE undone_cancel (
    order_id  TEXT COLLATE "C" NOT NULL,
    cancel_id TEXT COLLATE "C" NOT NULL,
    undone_at BIGINT           NOT NULL,
    PRIMARY KEY (order_id, cancel_id)
);

-- What a restaurant has set for its kitchen; without a row the defaults hold.
CREATE TABLE kitchen (
    restaurant_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version       BIGINT           NOT NULL,
    capacity      BIGINT           NOT NULL, -- tickets in preparation at a time; 0 is no limit
    updated_at    BIGINT           NOT NULL
);
