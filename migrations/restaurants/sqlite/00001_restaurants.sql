-- +goose Up
-- One restaurant with all its settings: an edit writes one row, a quote reads one row. Instants are microseconds, UTC, on the domain
-- clock; amounts are minor units of the currency.
CREATE TABLE restaurant (
  id                       TEXT    NOT NULL PRIMARY KEY,
  version                  INTEGER NOT NULL,
  owner                    TEXT    NOT NULL,             -- subject that created it
  state                    TEXT    NOT NULL,
  paused_until             INTEGER NOT NULL,             -- 0: none
  name                     TEXT    NOT NULL,
  cuisine                  TEXT    NOT NULL,
  search_text              TEXT    NOT NULL,             -- name and cuisine in lower case
  latitude                 REAL    NOT NULL,
  longitude                REAL    NOT NULL,
  time_zone                TEXT    NOT NULL,
  currency                 TEXT    NOT NULL,
  opening_hours            TEXT    NOT NULL,             -- JSON
  radius_metres            INTEGER NOT NULL,
  minimum                  INTEGER NOT NULL,
  delivery_fee             INTEGER NOT NULL,
  service_fee_basis_points INTEGER NOT NULL,
  small_order_fee          INTEGER NOT NULL,
  small_order_below        INTEGER NOT NULL,
  cancellation_fee         INTEGER NOT NULL,
  tax_basis_points         INTEGER NOT NULL,
  preparation_minutes      INTEGER NOT NULL,
  menu_version             INTEGER NOT NULL,             -- 0: no menu yet
  unavailable              TEXT    NOT NULL,             -- JSON: item id -> instant at which it is back, 0 for none
  created_at               INTEGER NOT NULL
) WITHOUT ROWID;

-- SearchNearby looks in a box of coordinates.
CREATE INDEX restaurant_position ON restaurant (latitude, longitude);

-- Versions of menus; a row is never changed.
CREATE TABLE menu (
  restaurant_id TEXT    NOT NULL REFERENCES restaurant (id),
  version       INTEGER NOT NULL,
  published_at  INTEGER NOT NULL,
  items         TEXT    NOT NULL,                        -- JSON
  PRIMARY KEY (restaurant_id, version)
) WITHOUT ROWID;

-- Frozen prices; a row is never changed, and stays past its expiry for the orders that refer to it.
CREATE TABLE quote (
  id            TEXT NOT NULL PRIMARY KEY,
  consumer_id   TEXT NOT NULL,
  restaurant_id TEXT NOT NULL REFERENCES restaurant (id),
  data          BLOB NOT NULL                            -- kerf.restaurants.v1.Quote
) WITHOUT ROWID;

-- +goose Down
DROP TABLE quote;
DROP TABLE menu;
DROP TABLE restaurant;
