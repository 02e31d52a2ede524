-- +goose Up
-- The first answer to each mutating request that carried an Idempotency-Key; kept for a day. The request's identity (caller, method,
-- route, key) is one hash, so that the index stays small, and no client's key lies about in clear. Rows are pruned in the order
-- of id, which is that of time.
CREATE TABLE idempotency (
  id          INTEGER PRIMARY KEY,
  request     BLOB NOT NULL UNIQUE,
  -- Hash of the target and the body: the same key with another request is refused.
  fingerprint BLOB NOT NULL,
  status      INTEGER NOT NULL,
  location    TEXT NOT NULL,
  version     INTEGER NOT NULL,
  body        BLOB NOT NULL,
  created_at  INTEGER NOT NULL
);

-- +goose Down
DROP TABLE idempotency;
