-- +goose Up

-- One payment per order. A row without a consumer is a tombstone: it was voided before its authorisation came.
CREATE TABLE payment (
    order_id        TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version         BIGINT           NOT NULL,
    state           TEXT             NOT NULL,
    reason          TEXT             NOT NULL DEFAULT '',
    consumer_id     TEXT             NOT NULL DEFAULT '',
    restaurant_id   TEXT             NOT NULL DEFAULT '',
    payment_token   TEXT             NOT NULL DEFAULT '',
    currency        TEXT             NOT NULL DEFAULT '',
    authorized      BIGINT           NOT NULL DEFAULT 0, -- amounts are minor units
    captured        BIGINT           NOT NULL DEFAULT 0,
    refunded        BIGINT           NOT NULL DEFAULT 0,
    subtotal        BIGINT           NOT NULL DEFAULT 0, -- what the authorised amount is made of
    tax             BIGINT           NOT NULL DEFAULT 0,
    delivery_fee    BIGINT           NOT NULL DEFAULT 0,
    service_fee     BIGINT           NOT NULL DEFAULT 0,
    small_order_fee BIGINT           NOT NULL DEFAULT 0,
    tip             BIGINT           NOT NULL DEFAULT 0,
    purpose         TEXT             NOT NULL DEFAULT '', -- of the capture: ORDER, CANCELLATION_FEE
    courier_id      TEXT             NOT NULL DEFAULT '',
    refunds         BIGINT           NOT NULL DEFAULT 0,  -- how many were begun
    authorizing     BIGINT           NOT NULL DEFAULT 0,  -- the authorisation's outcome is not known yet
    moving          TEXT             NOT NULL DEFAULT '', -- the capture, void or refund whose outcome is not known yet
    held            BIGINT           NOT NULL DEFAULT 0,  -- the provider holds the authorised amount
    created_at      BIGINT           NOT NULL,            -- instants are microseconds of UTC, on the domain clock
    updated_at      BIGINT           NOT NULL,
    captured_at     BIGINT,
    CHECK (captured <= authorized AND refunded <= captured AND refunded >= 0)
);

CREATE INDEX payment_held ON payment (order_id) WHERE held = 1;

-- What this module has asked the provider to do, or refused to, by the operation key of who asked.
CREATE TABLE instruction (
    key          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    request_hash BYTEA            NOT NULL,
    reference    TEXT             NOT NULL, -- the key that the provider knows it by: one for each effect on an order
    order_id     TEXT COLLATE "C" NOT NULL,
    kind         TEXT             NOT NULL, -- authorize, capture, void, refund
    amount       BIGINT           NOT NULL DEFAULT 0,
    purpose      TEXT             NOT NULL DEFAULT '',
    courier_id   TEXT             NOT NULL DEFAULT '',
    reason       TEXT             NOT NULL DEFAULT '',
    done         BIGINT           NOT NULL, -- 0 while the outcome is not known
    fault        BYTEA,                     -- the refusal that it ended with; NULL for success
    begun_at     BIGINT           NOT NULL  -- on the wall clock
);

CREATE INDEX instruction_open ON instruction (order_id, begun_at) WHERE done = 0;
CREATE INDEX instruction_refund ON instruction (order_id, key) WHERE kind = 'refund';
