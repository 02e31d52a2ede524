-- +goose Up

-- How far this module, as a group, has handled each aggregate of each topic. Since a sequence has no gaps, the last one says of every
-- event whether it was handled; there is no row per event, and nothing to prune.
CREATE TABLE inbox (
    topic    TEXT    NOT NULL,
    subject  TEXT    NOT NULL,
    sequence INTEGER NOT NULL,                   -- of the last event
    event_id TEXT    NOT NULL,                   -- of the last event
    handled  INTEGER NOT NULL,                   -- number of events
    PRIMARY KEY (topic, subject)
) WITHOUT ROWID;

-- Messages that the module could not take, and those of the same topic and key that wait behind them, in the order of their numbers.
CREATE TABLE parked (
    number    INTEGER PRIMARY KEY AUTOINCREMENT,
    topic     TEXT    NOT NULL,
    event_id  TEXT    NOT NULL,                  -- the message's UUID if it has no readable id
    type      TEXT    NOT NULL,
    source    TEXT    NOT NULL,
    subject   TEXT    NOT NULL,
    key       TEXT    NOT NULL,                  -- the event id if it has no key
    sequence  INTEGER NOT NULL,
    metadata  TEXT    NOT NULL,                  -- JSON
    payload   BLOB    NOT NULL,
    cause     TEXT    NOT NULL,                  -- empty if it only waits
    attempts  INTEGER NOT NULL,
    parked_at INTEGER NOT NULL,                  -- microseconds, wall clock
    operation TEXT    NOT NULL DEFAULT '',       -- key of the last replay or drop
    ended     TEXT    NOT NULL DEFAULT '',       -- replayed or dropped; empty while it is parked
    ended_at  INTEGER,
    released  INTEGER NOT NULL DEFAULT 0         -- messages that the operation that ended it handled
);

CREATE UNIQUE INDEX parked_event ON parked (topic, event_id);
CREATE INDEX parked_queue ON parked (topic, key, number) WHERE ended = '';
CREATE INDEX parked_ended ON parked (ended) WHERE ended <> '';

-- +goose Down
DROP TABLE parked;
DROP TABLE inbox;
