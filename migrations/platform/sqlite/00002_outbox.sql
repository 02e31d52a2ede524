-- +goose Up

-- How many events each aggregate has had. It outlives the events, so that the sequence never starts again.
CREATE TABLE outbox_subject (
    subject  TEXT PRIMARY KEY,
    sequence INTEGER NOT NULL
) WITHOUT ROWID;

-- The module's log. A row is written with the change that it tells of; the relay gives it its position in its partition's log when
-- it publishes it, and settles it when no group can miss it any more: at once on a bus that stores messages, else when all have acked.
CREATE TABLE outbox (
    number         INTEGER PRIMARY KEY,
    event_id       TEXT    NOT NULL,
    type           TEXT    NOT NULL,
    schema_version INTEGER NOT NULL,
    subject        TEXT    NOT NULL,
    key            TEXT    NOT NULL,
    sequence       INTEGER NOT NULL,
    time           INTEGER NOT NULL,             -- microseconds, domain clock
    correlation_id TEXT    NOT NULL,
    causation_id   TEXT    NOT NULL,
    trace_parent   TEXT    NOT NULL,
    data           BLOB    NOT NULL,             -- protobuf
    partition      INTEGER NOT NULL,             -- 0 to 15, by key
    settled        INTEGER NOT NULL DEFAULT 0,
    position       INTEGER,                      -- from 1 without gaps; NULL until published
    published_at   INTEGER                       -- microseconds, wall clock
);

-- Position is in it so that counting what is not settled reads the index only.
CREATE INDEX outbox_open ON outbox (number, position) WHERE settled = 0;
CREATE UNIQUE INDEX outbox_log ON outbox (partition, position) WHERE position IS NOT NULL;

-- +goose Down
DROP TABLE outbox;
DROP TABLE outbox_subject;
