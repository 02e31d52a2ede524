-- +goose Up
-- The first answer to each command from another module; a row lives as long as the aggregate that the command was about.
CREATE TABLE operation (
  key          TEXT NOT NULL PRIMARY KEY,
  request_hash BYTEA NOT NULL,
  response     BYTEA,
  fault        BYTEA,
  CHECK ((response IS NULL) <> (fault IS NULL))
);

-- +goose Down
DROP TABLE operation;
