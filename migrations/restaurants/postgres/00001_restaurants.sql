-- +goose Up
-- One restaurant with all its settings: an edit writes one row, a quote reads one row. Instants are microseconds, UTC, on the domain
-- clock; amounts are minor units of the currency.
CREATE TABLE restaurant (
  id                       TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  version                  BIGINT           NOT NULL,
  owner                    TEXT             NOT NULL, -- subject that created it
  state                    TEXT             NOT NULL,
  paused_until             BIGINT           NOT NULL, -- 0: none
  name                     TEXT             NOT NULL,
  cuisine                  TEXT COLLATE "C" NOT NULL,
  search_text              TEXT COLLATE "C" NOT NULL, -- name and cuisine in lower case
  latitude                 DOUBLE PRECISION NOT NULL,
  longitude                DOUBLE PRECISION NOT NULL,
  time_zone                TEXT             NOT NULL,
  currency                 TEXT             NOT NULL,
  opening_hours            TEXT             NOT NULL, -- JSON
  radius_metres            BIGINT           NOT NULL,
  minimum                  BIGINT           NOT NULL,
  delivery_fee             BIGINT           NOT NULL,
  service_fee_basis_points BIGINT           NOT NULL,
  small_order_fee          BIGINT           NOT NULL,
  small_order_below        BIGINT           NOT NULL,
  cancellation_fee         BIGINT           NOT NULL,
  tax_basis_points         BIGINT           NOT NULL,
  preparation_minutes      BIGINT           NOT NULL,
  menu_version             BIGINT           NOT NULL, -- 0: no menu yet
  unavailable              TEXT             NOT NULL, -- JSON: item id -> instant at which it is back, 0 for none
  created_at               BIGINT           NOT NULL
);

-- SearchNearby looks in a box of coordinates.
CREATE INDEX restaurant_position ON restaurant (latitude, longitude);

-- Versions of menus; a row is never changed.
CREATE TABLE menu (
  restaurant_id TEXT COLLATE "C" NOT NULL REFERENCES restaurant (id),
  version       BIGINT           NOT NULL,
  published_at  BIGINT           NOT NULL,
  items         TEXT             NOT NULL, -- JSON
  PRIMARY KEY (restaurant_id, version)
);

-- Frozen prices; a row is never changed, and stays past its expiry for the orders that refer to it.
CREATE TABLE quote (
  id            TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  consumer_id   TEXT             NOT NULL,
  restaurant_id TEXT COLLATE "C" NOT NULL REFERENCES restaurant (id),
  data          BYTEA            NOT NULL -- kerf.restaurants.v1.Quote
);

-- +goose Down
DROP TABLE quote;
DROP TABLE menu;
DROP TABLE restaurant;
