-- +goose Up

-- The built-in provider's own record: what it was told, and what it charged. Nothing but internal/provider reads or writes it, in
-- transactions of its own, so it tells what happened even where this module's crash kept it from recording the answer.
CREATE TABLE simulator_charge (
    authorization_key TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    order_id          TEXT COLLATE "C" NOT NULL,
    token             TEXT             NOT NULL,
    currency          TEXT             NOT NULL,
    authorized        BIGINT           NOT NULL, -- amounts are minor units
    captured          BIGINT           NOT NULL DEFAULT 0,
    refunded          BIGINT           NOT NULL DEFAULT 0,
    captures          BIGINT           NOT NULL DEFAULT 0,
    state             TEXT             NOT NULL, -- pending, declined, held, captured, released, expired
    decided_at        BIGINT           NOT NULL  -- microseconds of UTC, on the wall clock: when a pending authorisation takes effect
);

CREATE INDEX simulator_charge_order ON simulator_charge (order_id);

CREATE TABLE simulator_instruction (
    key    TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    kind   TEXT             NOT NULL,
    status TEXT             NOT NULL, -- pending, approved, declined, nothing
    reason TEXT             NOT NULL
);
