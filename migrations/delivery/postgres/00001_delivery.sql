-- +goose Up

-- One delivery per order. A row without a restaurant is a tombstone: it was cancelled before it was scheduled.
CREATE TABLE delivery (
    order_id          TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version           BIGINT           NOT NULL,
    state             TEXT             NOT NULL,
    reason            TEXT             NOT NULL DEFAULT '',
    consumer_id       TEXT             NOT NULL DEFAULT '',
    restaurant_id     TEXT             NOT NULL DEFAULT '',
    pickup_latitude   DOUBLE PRECISION NOT NULL DEFAULT 0, -- WGS 84 degrees
    pickup_longitude  DOUBLE PRECISION NOT NULL DEFAULT 0,
    dropoff_latitude  DOUBLE PRECISION NOT NULL DEFAULT 0,
    dropoff_longitude DOUBLE PRECISION NOT NULL DEFAULT 0,
    pickup_code       TEXT             NOT NULL DEFAULT '',
    delivery_pin      TEXT             NOT NULL DEFAULT '',
    courier_id        TEXT COLLATE "C" NOT NULL DEFAULT '', -- who is offered it, has it, or had it at its end
    wrong_codes       BIGINT           NOT NULL DEFAULT 0,  -- wrong codes named in a row
    wrong_code_at     BIGINT,                               -- instants are microseconds of UTC, on the domain clock
    offer_expires_at  BIGINT,
    ready_by          BIGINT,
    ready_at          BIGINT,
    eta               BIGINT, -- the arrival that was expected when the range was last told
    eta_earliest      BIGINT,
    eta_latest        BIGINT,
    picked_up_at      BIGINT,
    delivered_at      BIGINT,
    created_at        BIGINT           NOT NULL,
    updated_at        BIGINT           NOT NULL
);

-- What a dispatch round looks at.
CREATE INDEX delivery_waiting ON delivery (created_at) WHERE state = 'UNASSIGNED';

-- No courier has two deliveries at a time, whatever the code above does.
CREATE UNIQUE INDEX delivery_of_courier ON delivery (courier_id)
    WHERE state IN ('OFFERED', 'ASSIGNED', 'AT_PICKUP', 'PICKED_UP', 'AT_DROPOFF', 'FAILED');

CREATE TABLE courier (
    id         TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    version    BIGINT           NOT NULL,
    state      TEXT             NOT NULL,
    name       TEXT             NOT NULL DEFAULT '',
    vehicle    TEXT             NOT NULL DEFAULT '',
    latitude   DOUBLE PRECISION NOT NULL DEFAULT 0, -- where the courier was last seen; somewhat behind what is in memory
    longitude  DOUBLE PRECISION NOT NULL DEFAULT 0,
    sequence   BIGINT           NOT NULL DEFAULT 0,  -- the courier's own count of its reports
    located_at BIGINT,                               -- NULL: never seen
    order_id   TEXT             NOT NULL DEFAULT '', -- the delivery that the courier is offered or has
    created_at BIGINT           NOT NULL,
    updated_at BIGINT           NOT NULL
);

CREATE INDEX courier_on_shift ON courier (state) WHERE state <> 'OFFLINE';

-- Who has turned an order down is not asked again for a while.
CREATE TABLE turned_down (
    order_id   TEXT COLLATE "C" NOT NULL,
    courier_id TEXT COLLATE "C" NOT NULL,
    until      BIGINT           NOT NULL,
    PRIMARY KEY (order_id, courier_id)
);

-- What a kitchen said about an order that has no delivery yet.
CREATE TABLE early_word (
    order_id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    ready_by BIGINT,
    ready_at BIGINT
);
