-- +goose Up

-- How often each job that one process at a time may do was taken. Who took it is fenced off by a higher epoch.
CREATE TABLE job (
    name  TEXT    NOT NULL PRIMARY KEY,
    epoch INTEGER NOT NULL
) WITHOUT ROWID;

-- +goose Down
DROP TABLE job;
