-- +goose Up
-- To which installation the schema belongs, and how often it was taken over: see package installation. One row.
CREATE TABLE installation (
    one    BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    id     TEXT    NOT NULL,
    module TEXT    NOT NULL,
    epoch  BIGINT NOT NULL CHECK (epoch > 0),
    place  TEXT   NOT NULL -- empty: there is no copy of a schema on a server
);

-- +goose Down
DROP TABLE installation;
