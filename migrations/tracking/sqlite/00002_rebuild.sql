-- +goose Up

-- Which generation of the views is served, and which is in the making beside it: a rebuild makes a new one from the modules' logs.
CREATE TABLE showing (
    one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    generation INTEGER NOT NULL,
    making     INTEGER NOT NULL, -- 0: none
    merging    INTEGER NOT NULL, -- 1: the logs are read, and a view that is new is written to both generations
    looked     INTEGER NOT NULL  -- 0: it is not known yet whether orders are older than this schema
) STRICT;

INSERT INTO showing (one, generation, making, merging, looked) VALUES (1, 1, 0, 0, (SELECT count(*) > 0 FROM order_view));

CREATE TABLE view_of_generation (
    order_id      TEXT    NOT NULL,
    generation    INTEGER NOT NULL,
    sequence      INTEGER NOT NULL,
    consumer_id   TEXT    NOT NULL,
    restaurant_id TEXT    NOT NULL,
    status        TEXT    NOT NULL,
    placed_at     INTEGER NOT NULL, -- domain clock; of the earliest event while the order's own is not there yet
    document      BLOB    NOT NULL, -- kerf.tracking.v1.View
    PRIMARY KEY (order_id, generation)
) STRICT;

INSERT INTO view_of_generation (order_id, generation, sequence, consumer_id, restaurant_id, status, placed_at, document)
    SELECT order_id, 1, sequence, consumer_id, restaurant_id, status, placed_at, document FROM order_view;
DROP TABLE order_view;
ALTER TABLE view_of_generation RENAME TO order_view;

CREATE INDEX order_view_of_consumer ON order_view (generation, consumer_id, placed_at, order_id);
CREATE INDEX order_view_of_restaurant ON order_view (generation, restaurant_id, placed_at, order_id);
CREATE INDEX order_view_placed ON order_view (generation, placed_at, order_id);
CREATE INDEX order_view_status ON order_view (generation, status, placed_at, order_id);

-- The last rebuild; no row before the first. Instants are microseconds of UTC, on the wall clock.
CREATE TABLE rebuild (
    one        INTEGER NOT NULL PRIMARY KEY CHECK (one = 1),
    id         TEXT    NOT NULL,
    cause      TEXT    NOT NULL, -- asked, empty
    phase      TEXT    NOT NULL, -- reading, merging, announcing, clearing, done
    merged     TEXT    NOT NULL, -- the order whose view was merged last
    changed    INTEGER NOT NULL, -- views that came out different
    kept       INTEGER NOT NULL, -- views of which the logs do not hold everything any more
    unreadable INTEGER NOT NULL, -- events that were passed over
    problem    TEXT    NOT NULL, -- why it does not go on; empty while it does
    started_at INTEGER NOT NULL,
    swapped_at INTEGER,
    ended_at   INTEGER
) STRICT;

-- How far a rebuild has read each log.
CREATE TABLE rebuild_log (
    source    TEXT    NOT NULL,
    partition INTEGER NOT NULL,
    position  INTEGER NOT NULL, -- of the last event that was read
    events    INTEGER NOT NULL,
    newest    INTEGER NOT NULL, -- instant of the last event that was read, on the domain clock
    PRIMARY KEY (source, partition)
) STRICT, WITHOUT ROWID;

-- Views that a rebuild has changed and that live streams are still to be told.
CREATE TABLE rebuild_news (
    order_id TEXT NOT NULL PRIMARY KEY
) STRICT, WITHOUT ROWID;
