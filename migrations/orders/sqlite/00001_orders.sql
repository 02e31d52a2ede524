-- +goose Up

-- The promise to the diner. Named in the plural because ORDER is a word of SQL. Instants are microseconds of UTC on the domain clock,
-- amounts minor units of the order's currency. Columns from version on change in the order's life, those before never do, but for
-- the payment token, which is forgotten.
CREATE TABLE orders (
    id                  TEXT    NOT NULL PRIMARY KEY,
    consumer_id         TEXT    NOT NULL,
    restaurant_id       TEXT    NOT NULL,
    quote_id            TEXT    NOT NULL UNIQUE, -- a quote is ordered at most once
    address_id          TEXT    NOT NULL,
    lines               TEXT    NOT NULL,        -- JSON array, frozen from the quote
    currency            TEXT    NOT NULL,
    subtotal            INTEGER NOT NULL,
    tax                 INTEGER NOT NULL,
    delivery_fee        INTEGER NOT NULL,
    service_fee         INTEGER NOT NULL,
    small_order_fee     INTEGER NOT NULL,
    tip                 INTEGER NOT NULL,
    total               INTEGER NOT NULL,
    cancellation_fee    INTEGER NOT NULL,
    latitude            REAL    NOT NULL,        -- of the address
    longitude           REAL    NOT NULL,
    pickup_latitude     REAL    NOT NULL,        -- of the restaurant
    pickup_longitude    REAL    NOT NULL,
    payment_token       TEXT    NOT NULL,        -- the provider's; empty once Place has ended
    notes               TEXT    NOT NULL,
    pickup_code         TEXT    NOT NULL,
    delivery_pin        TEXT    NOT NULL,
    preparation_seconds INTEGER NOT NULL,
    eta_earliest        INTEGER,
    eta_latest          INTEGER,
    placed_at           INTEGER NOT NULL,
    version             INTEGER NOT NULL,
    state               TEXT    NOT NULL,
    reason              TEXT    NOT NULL,
    charge              INTEGER,                 -- what its end charges; NULL while it is open
    furthest            TEXT    NOT NULL,        -- the furthest fact, as the state that it leads to
    setback             TEXT    NOT NULL,
    failure             TEXT    NOT NULL,
    courier_id          TEXT    NOT NULL,
    ready_by            INTEGER,
    dispatched          INTEGER NOT NULL,        -- 1: a delivery was asked for
    captured            INTEGER,                 -- what was taken at pick-up; NULL while that is not answered
    cancel_by           TEXT    NOT NULL,        -- who asked for a cancel that is not yet answered
    cancel_reason       TEXT    NOT NULL,
    heard_at            INTEGER NOT NULL,        -- when the last fact came
    updated_at          INTEGER NOT NULL
) STRICT;

-- Lists, newest first. Their columns never change, so only an insert pays for them.
CREATE INDEX orders_by_consumer ON orders (consumer_id, placed_at, id);
CREATE INDEX orders_by_restaurant ON orders (restaurant_id, placed_at, id);
CREATE INDEX orders_by_time ON orders (placed_at, id);

-- A saga takes an order through calls to other modules, one step at a time.
CREATE TABLE saga (
    id         TEXT    NOT NULL PRIMARY KEY,
    order_id   TEXT    NOT NULL REFERENCES orders (id),
    kind       TEXT    NOT NULL,
    step       TEXT    NOT NULL, -- the call to make next, or the end that it came to
    data       TEXT    NOT NULL, -- JSON, what must be known between steps; empty for nothing
    anomaly    TEXT    NOT NULL, -- a refusal that no contract foresees there; the saga went on
    attempts   INTEGER NOT NULL, -- answers of unknown outcome to this step, in a row
    started_at INTEGER NOT NULL, -- microseconds of UTC on the domain clock
    ended_at   INTEGER
) STRICT, WITHOUT ROWID;

-- One saga acts on an order at a time.
CREATE UNIQUE INDEX saga_open ON saga (order_id) WHERE ended_at IS NULL;

CREATE INDEX saga_anomaly ON saga (id) WHERE anomaly <> '';

-- +goose Down
DROP TABLE saga;
DROP TABLE orders;
