-- +goose Up
-- The first answer to each command from another module; a row lives as long as the aggregate that the command was about.
CREATE TABLE operation (
  key          TEXT NOT NULL PRIMARY KEY,
  request_hash BLOB NOT NULL,
  response     BLOB,
  fault        BLOB,
  CHECK ((response IS NULL) <> (fault IS NULL))
) WITHOUT ROWID;

-- +goose Down
DROP TABLE operation;
