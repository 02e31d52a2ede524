-- +goose Up
-- Who orders. What a person is called and reached by is empty once the consumer is CLOSED; the id stays, for those who refer to it.
-- Instants are microseconds, UTC, on the domain clock.
CREATE TABLE consumer (
  id                 TEXT COLLATE "C" NOT NULL PRIMARY KEY,
  version            BIGINT           NOT NULL,
  state              TEXT             NOT NULL,
  suspension_reason  TEXT             NOT NULL,
  name               TEXT             NOT NULL,
  email              TEXT             NOT NULL,
  phone              TEXT             NOT NULL,
  locale             TEXT             NOT NULL,
  muted_channels     TEXT             NOT NULL, -- JSON array
  order_limit        BIGINT           NOT NULL, -- minor units of the order's currency
  default_address_id TEXT             NOT NULL, -- empty: none
  created_at         BIGINT           NOT NULL
);

CREATE TABLE address (
  consumer_id TEXT COLLATE "C" NOT NULL REFERENCES consumer (id),
  id          TEXT COLLATE "C" NOT NULL,
  version     BIGINT           NOT NULL,
  label       TEXT             NOT NULL,
  street      TEXT             NOT NULL,
  city        TEXT             NOT NULL,
  postal_code TEXT             NOT NULL,
  country     TEXT             NOT NULL,
  latitude    DOUBLE PRECISION NOT NULL,
  longitude   DOUBLE PRECISION NOT NULL,
  PRIMARY KEY (consumer_id, id)
);

-- A row is never changed, so it has no version.
CREATE TABLE payment_method (
  consumer_id TEXT COLLATE "C" NOT NULL REFERENCES consumer (id),
  id          TEXT COLLATE "C" NOT NULL,
  token       TEXT             NOT NULL, -- the provider's; never a card number, never shown
  label       TEXT             NOT NULL,
  created_at  BIGINT           NOT NULL,
  PRIMARY KEY (consumer_id, id)
);

-- +goose Down
DROP TABLE payment_method;
DROP TABLE address;
DROP TABLE consumer;
