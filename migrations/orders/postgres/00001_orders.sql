-- +goose Up

-- The promise to the diner. Named in the plural because ORDER is a word of SQL. Instants are microseconds of UTC on the domain clock,
-- amounts minor units of the order's currency. Columns from version on change in the order's life, those before never do, but for
-- the payment token, which is forgotten.
CREATE TABLE orders (
    id                  TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    consumer_id         TEXT COLLATE "C" NOT NULL,
    restaurant_id       TEXT COLLATE "C" NOT NULL,
    quote_id            TEXT COLLATE "C" NOT NULL UNIQUE, -- a quote is ordered at most once
    address_id          TEXT             NOT NULL,
    lines               TEXT             NOT NULL, -- JSON array, frozen from the quote
    currency            TEXT             NOT NULL,
    subtotal            BIGINT           NOT NULL,
    tax                 BIGINT           NOT NULL,
    delivery_fee        BIGINT           NOT NULL,
    service_fee         BIGINT           NOT NULL,
    small_order_fee     BIGINT           NOT NULL,
    tip                 BIGINT           NOT NULL,
    total               BIGINT           NOT NULL,
    cancellation_fee    BIGINT           NOT NULL,
    latitude            DOUBLE PRECISION NOT NULL, -- of the address
    longitude           DOUBLE PRECISION NOT NULL,
    pickup_latitude     DOUBLE PRECISION NOT NULL, -- of the restaurant
    pickup_longitude    DOUBLE PRECISION NOT NULL,
    payment_token       TEXT             NOT NULL, -- the provider's; empty once Place has ended
    notes               TEXT             NOT NULL,
    pickup_code         TEXT             NOT NULL,
    delivery_pin        TEXT             NOT NULL,
    preparation_seconds BIGINT           NOT NULL,
    eta_earliest        BIGINT,
    eta_latest          BIGINT,
    placed_at           BIGINT           NOT NULL,
    version             BIGINT           NOT NULL,
    state               TEXT             NOT NULL,
    reason              TEXT             NOT NULL,
    charge              BIGINT,                    -- what its end charges; NULL while it is open
    furthest            TEXT             NOT NULL, -- the furthest fact, as the state that it leads to
    setback             TEXT             NOT NULL,
    failure             TEXT             NOT NULL,
    courier_id          TEXT             NOT NULL,
    ready_by            BIGINT,
    dispatched          BIGINT           NOT NULL, -- 1: a delivery was asked for
    captured            BIGINT,                    -- what was taken at pick-up; NULL while that is not answered
    cancel_by           TEXT             NOT NULL, -- who asked for a cancel that is not yet answered
    cancel_reason       TEXT             NOT NULL,
    heard_at            BIGINT           NOT NULL, -- when the last fact came
    updated_at          BIGINT           NOT NULL
);

-- Lists, newest first. Their columns never change, so only an insert pays for them.
CREATE INDEX orders_by_consumer ON orders (consumer_id, placed_at, id);
CREATE INDEX orders_by_restaurant ON orders (restaurant_id, placed_at, id);
CREATE INDEX orders_by_time ON orders (placed_at, id);

-- A saga takes an order through calls to other modules, one step at a time.
CREATE TABLE saga (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    order_id   TEXT COLLATE "C" NOT NULL REFERENCES orders (id),
    kind       TEXT             NOT NULL,
    step       TEXT             NOT NULL, -- the call to make next, or the end that it came to
    data       TEXT             NOT NULL, -- JSON, what must be known between steps; empty for nothing
    anomaly    TEXT             NOT NULL, -- a refusal that no contract foresees there; the saga went on
    attempts   BIGINT           NOT NULL, -- answers of unknown outcome to this step, in a row
    started_at BIGINT           NOT NULL, -- microseconds of UTC on the domain clock
    ended_at   BIGINT
);

-- One saga acts on an order at a time.
CREATE UNIQUE INDEX saga_open ON saga (order_id) WHERE ended_at IS NULL;

CREATE INDEX saga_anomaly ON saga (id) WHERE anomaly <> '';

-- +goose Down
DROP TABLE saga;
DROP TABLE orders;
