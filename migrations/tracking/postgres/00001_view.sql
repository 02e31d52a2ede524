-- +goose Up

-- The view of each order: one document, and beside it what lists are made by. Instants are microseconds of UTC.
CREATE TABLE order_view (
    order_id      TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    sequence      BIGINT           NOT NULL,
    consumer_id   TEXT COLLATE "C" NOT NULL,
    restaurant_id TEXT COLLATE "C" NOT NULL,
    status        TEXT COLLATE "C" NOT NULL,
    placed_at     BIGINT           NOT NULL, -- domain clock; of the earliest event while the order's own is not there yet
    document      BYTEA            NOT NULL  -- kerf.tracking.v1.View
);

CREATE INDEX order_view_of_consumer ON order_view (consumer_id, placed_at, order_id);
CREATE INDEX order_view_of_restaurant ON order_view (restaurant_id, placed_at, order_id);
CREATE INDEX order_view_placed ON order_view (placed_at, order_id);
CREATE INDEX order_view_status ON order_view (status, placed_at, order_id);

-- Every change of a view, which is what live streams read. Old ones are deleted, but never the newest, so that positions only grow.
CREATE TABLE view_change (
    position   BIGINT           NOT NULL PRIMARY KEY,
    order_id   TEXT COLLATE "C" NOT NULL,
    sequence   BIGINT           NOT NULL, -- of the view
    changed_at BIGINT           NOT NULL, -- wall clock
    document   BYTEA            NOT NULL  -- the view as it then was
);

CREATE UNIQUE INDEX view_change_of_order ON view_change (order_id, sequence);
