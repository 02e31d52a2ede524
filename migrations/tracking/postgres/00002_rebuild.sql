-- +goose Up

-- Which generation of the views is served, and which is in the making beside it: a rebuild makes a new one from the modules' logs.
CREATE TABLE showing (
    one        BIGINT NOT NULL PRIMARY KEY CHECK (one = 1),
    generation BIGINT NOT NULL,
    making     BIGINT NOT NULL, -- 0: none
    merging    BIGINT NOT NULL, -- 1: the logs are read, and a view that is new is written to both generations
    looked     BIGINT NOT NULL  -- 0: it is not known yet whether orders are older than this schema
);

INSERT INTO showing (one, generation, making, merging, looked)
    VALUES (1, 1, 0, 0, CASE WHEN EXISTS (SELECT 1 FROM order_view) THEN 1 ELSE 0 END);

ALTER TABLE order_view ADD COLUMN generation BIGINT NOT NULL DEFAULT 1;
ALTER TABLE order_view ALTER COLUMN generation DROP DEFAULT;
ALTER TABLE order_view DROP CONSTRAINT order_view_pkey;
ALTER TABLE order_view ADD PRIMARY KEY (order_id, generation);

DROP INDEX order_view_of_consumer;
DROP INDEX order_view_of_restaurant;
DROP INDEX order_view_placed;
DROP INDEX order_view_status;
CREATE INDEX order_view_of_consumer ON order_view (generation, consumer_id, placed_at, order_id);
CREATE INDEX order_view_of_restaurant ON order_view (generation, restaurant_id, placed_at, order_id);
CREATE INDEX order_view_placed ON order_view (generation, placed_at, order_id);
CREATE INDEX order_view_status ON order_view (generation, status, placed_at, order_id);

-- The last rebuild; no row before the first. Instants are microseconds of UTC, on the wall clock.
CREATE TABLE rebuild (
    one        BIGINT           NOT NULL PRIMARY KEY CHECK (one = 1),
    id         TEXT             NOT NULL,
    cause      TEXT             NOT NULL, -- asked, empty
    phase      TEXT             NOT NULL, -- reading, merging, announcing, clearing, done
    merged     TEXT COLLATE "C" NOT NULL, -- the order whose view was merged last
    changed    BIGINT           NOT NULL, -- views that came out different
    kept       BIGINT           NOT NULL, -- views of which the logs do not hold everything any more
    unreadable BIGINT           NOT NULL, -- events that were passed over
    problem    TEXT             NOT NULL, -- why it does not go on; empty while it does
    started_at BIGINT           NOT NULL,
    swapped_at BIGINT,
    ended_at   BIGINT
);

-- How far a rebuild has read each log.
CREATE TABLE rebuild_log (
    source    TEXT   NOT NULL,
    partition BIGINT NOT NULL,
    position  BIGINT NOT NULL, -- of the last event that was read
    events    BIGINT NOT NULL,
    newest    BIGINT NOT NULL, -- instant of the last event that was read, on the domain clock
    PRIMARY KEY (source, partition)
);

-- Views that a rebuild has changed and that live streams are still to be told.
CREATE TABLE rebuild_news (
    order_id TEXT COLLATE "C" NOT NULL PRIMARY KEY
);
