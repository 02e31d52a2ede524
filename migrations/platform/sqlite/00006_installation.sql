-- +goose Up
-- To which installation the schema belongs, and how often it was taken over: see package installation. One row.
CREATE TABLE installation (
    one    INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    id     TEXT    NOT NULL,
    module TEXT    NOT NULL,
    epoch  INTEGER NOT NULL CHECK (epoch > 0),
    place  TEXT    NOT NULL -- where the file was opened last
);

-- +goose Down
DROP TABLE installation;
