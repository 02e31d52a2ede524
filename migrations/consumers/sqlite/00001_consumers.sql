-- +goose Up
-- Who orders. What a person is called and reached by is empty once the consumer is CLOSED; the id stays, for those who refer to it.
-- Instants are microseconds, UTC, on the domain clock.
CREATE TABLE consumer (
  id                 TEXT    NOT NULL PRIMARY KEY,
  version            INTEGER NOT NULL,
  state              TEXT    NOT NULL,
  suspension_reason  TEXT    NOT NULL,
  name               TEXT    NOT NULL,
  email              TEXT    NOT NULL,
  phone              TEXT    NOT NULL,
  locale             TEXT    NOT NULL,
  muted_channels     TEXT    NOT NULL,                   -- JSON array
  order_limit        INTEGER NOT NULL,                   -- minor units of the order's currency
  default_address_id TEXT    NOT NULL,                   -- empty: none
  created_at         INTEGER NOT NULL
) WITHOUT ROWID;

CREATE TABLE address (
  consumer_id TEXT    NOT NULL REFERENCES consumer (id),
  id          TEXT    NOT NULL,
  version     INTEGER NOT NULL,
  label       TEXT    NOT NULL,
  street      TEXT    NOT NULL,
  city        TEXT    NOT NULL,
  postal_code TEXT    NOT NULL,
  country     TEXT    NOT NULL,
  latitude    REAL    NOT NULL,
  longitude   REAL    NOT NULL,
  PRIMARY KEY (consumer_id, id)
) WITHOUT ROWID;

-- A row is never changed, so it has no version.
CREATE TABLE payment_method (
  consumer_id TEXT    NOT NULL REFERENCES consumer (id),
  id          TEXT    NOT NULL,
  token       TEXT    NOT NULL,                          -- the provider's; never a card number, never shown
  label       TEXT    NOT NULL,
  created_at  INTEGER NOT NULL,
  PRIMARY KEY (consumer_id, id)
) WITHOUT ROWID;

-- +goose Down
DROP TABLE payment_method;
DROP TABLE address;
DROP TABLE consumer;
