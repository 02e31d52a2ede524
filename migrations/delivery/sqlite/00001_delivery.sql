-- +goose Up

-- One delivery per order. A row without a restaurant is a tombstone: it was cancelled before it was scheduled.
CREATE TABLE delivery (
    order_id          TEXT    NOT NULL PRIMARY KEY,
    version           INTEGER NOT NULL,
    state             TEXT    NOT NULL,
    reason            TEXT    NOT NULL DEFAULT '',
    consumer_id       TEXT    NOT NULL DEFAULT '',
    restaurant_id     TEXT    NOT NULL DEFAULT '',
    pickup_latitude   REAL    NOT NULL DEFAULT 0, -- WGS 84 degrees
    pickup_longitude  REAL    NOT NULL DEFAULT 0,
    dropoff_latitude  REAL    NOT NULL DEFAULT 0,
    dropoff_longitude REAL    NOT NULL DEFAULT 0,
    pickup_code       TEXT    NOT NULL DEFAULT '',
    delivery_pin      TEXT    NOT NULL DEFAULT '',
    courier_id        TEXT    NOT NULL DEFAULT '', -- who is offered it, has it, or had it at its end
    wrong_codes       INTEGER NOT NULL DEFAULT 0,  -- wrong codes named in a row
    wrong_code_at     INTEGER, -- instants are microseconds of UTC, on the domain clock
    offer_expires_at  INTEGER,
    ready_by          INTEGER,
    ready_at          INTEGER,
    eta               INTEGER, -- the arrival that was expected when the range was last told
    eta_earliest      INTEGER,
    eta_latest        INTEGER,
    picked_up_at      INTEGER,
    delivered_at      INTEGER,
    created_at        INTEGER NOT NULL,
    updated_at        INTEGER NOT NULL
) STRICT;

-- What a dispatch round looks at.
CREATE INDEX delivery_waiting ON delivery (created_at) WHERE state = 'UNASSIGNED';

-- No courier has two deliveries at a time, whatever the code above does.
CREATE UNIQUE INDEX delivery_of_courier ON delivery (courier_id)
    WHERE state IN ('OFFERED', 'ASSIGNED', 'AT_PICKUP', 'PICKED_UP', 'AT_DROPOFF', 'FAILED');

CREATE TABLE courier (
    id         TEXT    NOT NULL PRIMARY KEY,
    version    INTEGER NOT NULL,
    state      TEXT    NOT NULL,
    name       TEXT    NOT NULL DEFAULT '',
    vehicle    TEXT    NOT NULL DEFAULT '',
    latitude   REAL    NOT NULL DEFAULT 0, -- where the courier was last seen; somewhat behind what is in memory
    longitude  REAL    NOT NULL DEFAULT 0,
    sequence   INTEGER NOT NULL DEFAULT 0, -- the courier's own count of its reports
    located_at INTEGER, -- NULL: never seen
    order_id   TEXT    NOT NULL DEFAULT '', -- the delivery that the courier is offered or has
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL
) STRICT;

CREATE INDEX courier_on_shift ON courier (state) WHERE state <> 'OFFLINE';

-- Who has turned an order down is not asked again for a while.
CREATE TABLE turned_down (
    order_id   TEXT    NOT NULL,
    courier_id TEXT    NOT NULL,
    until      INTEGER NOT NULL,
    PRIMARY KEY (order_id, courier_id)
) STRICT, WITHOUT ROWID;

-- What a kitchen said about an order that has no delivery yet.
CREATE TABLE early_word (
    order_id TEXT NOT NULL PRIMARY KEY,
    ready_by INTEGER,
    ready_at INTEGER
) STRICT, WITHOUT ROWID;
