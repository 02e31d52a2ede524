-- +goose Up

-- One row for each event and recipient. Instants are microseconds of UTC on the domain clock.
CREATE TABLE notification (
    id           TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    recipient_id TEXT COLLATE "C" NOT NULL, -- a consumer, restaurant or courier
    event_id     TEXT COLLATE "C" NOT NULL, -- grows with the time of the event
    about        TEXT             NOT NULL, -- the event's type
    order_id     TEXT             NOT NULL,
    state        TEXT             NOT NULL, -- PENDING, SENT, FAILED, SUPPRESSED
    reason       TEXT             NOT NULL, -- what the text is made from: a code, an amount in minor units, an instant
    amount       BIGINT           NOT NULL,
    currency     TEXT             NOT NULL,
    ready_by     BIGINT,
    locale       TEXT             NOT NULL, -- of the text, which only a SENT notification has
    title        TEXT             NOT NULL,
    body         TEXT             NOT NULL,
    created_at   BIGINT           NOT NULL,
    read_at      BIGINT
);

-- Once for each event and recipient; and a recipient's inbox in its order.
CREATE UNIQUE INDEX notification_of_recipient ON notification (recipient_id, event_id);

-- In the order in which they are told, or the other index is taken for the sake of it, and all that was ever told is passed through.
CREATE INDEX notification_pending ON notification (recipient_id, event_id) WHERE state = 'PENDING';
