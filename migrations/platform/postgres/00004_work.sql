-- +goose Up
-- Due work of this module: what a worker shall do after commit, or at an instant. See platform/work.
CREATE TABLE work (
    key         TEXT    NOT NULL,               -- one item of a key is handled at a time
    kind        TEXT    NOT NULL,               -- which handler
    clock       BIGINT NOT NULL,               -- 0 wall, 1 domain: the clock of due; wall while it backs off
    due         BIGINT NOT NULL,               -- microseconds UTC
    next        BIGINT,                        -- due of a further run, asked for while this one was claimed; the kind's clock
    attempts    BIGINT NOT NULL DEFAULT 0,     -- failures in a row
    stuck       BIGINT NOT NULL DEFAULT 0,     -- 1: failed so often that an operator should look
    lease       BIGINT NOT NULL DEFAULT 0,     -- token of the claim; 0: free
    lease_until BIGINT NOT NULL DEFAULT 0,     -- microseconds UTC of the wall
    payload     BYTEA,
    last_error  TEXT    NOT NULL DEFAULT '',
    correlation TEXT    NOT NULL DEFAULT '',    -- of the request or event that asked for it
    causation   TEXT    NOT NULL DEFAULT '',
    traceparent TEXT    NOT NULL DEFAULT '',
    PRIMARY KEY (key, kind)
);

-- What is due and free, per clock.
CREATE INDEX work_due ON work (clock, due) WHERE lease = 0;

-- +goose Down
DROP TABLE work;
