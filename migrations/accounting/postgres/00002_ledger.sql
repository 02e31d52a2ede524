-- +goose Up

-- The ledger: postings of entries that sum to zero in each currency. Entries come first, and their posting seals them: nothing can be
-- added, changed or taken away afterwards.
CREATE TABLE posting (
    id        TEXT COLLATE "C" NOT NULL PRIMARY KEY, -- UUIDv7: in the order of booking
    order_id  TEXT COLLATE "C" NOT NULL,
    kind      TEXT             NOT NULL CHECK (kind IN ('capture', 'refund')),
    reference TEXT COLLATE "C" NOT NULL UNIQUE, -- of the instruction that moved the money: booked once
    reason    TEXT             NOT NULL,        -- the capture's purpose, the refund's reason
    posted_at BIGINT           NOT NULL         -- microseconds of UTC, on the domain clock
);

-- At most one charge for an order.
CREATE UNIQUE INDEX posting_capture ON posting (order_id) WHERE kind = 'capture';
CREATE INDEX posting_order ON posting (order_id, id);

CREATE TABLE entry (
    posting_id TEXT COLLATE "C" NOT NULL REFERENCES posting (id) DEFERRABLE INITIALLY DEFERRED,
    line       BIGINT           NOT NULL,
    account    TEXT COLLATE "C" NOT NULL CHECK (account IN ('consumer', 'restaurant', 'courier', 'platform_fee', 'tax', 'refund')),
    owner_id   TEXT COLLATE "C" NOT NULL,                     -- of consumer, restaurant and courier; empty for the platform's own accounts
    amount     BIGINT           NOT NULL CHECK (amount <> 0), -- minor units: positive is credited, negative debited
    currency   TEXT COLLATE "C" NOT NULL,
    PRIMARY KEY (posting_id, line)
);

CREATE INDEX entry_owner ON entry (owner_id, posting_id) WHERE owner_id <> '';

-- +goose StatementBegin
CREATE FUNCTION check_posting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF NOT EXISTS (SELECT 1 FROM entry WHERE posting_id = NEW.id)
        OR EXISTS (SELECT 1 FROM entry WHERE posting_id = NEW.id GROUP BY currency HAVING sum(amount) <> 0) THEN
        RAISE EXCEPTION 'a posting must sum to zero in each currency';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION check_entry() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT 1 FROM posting WHERE id = NEW.posting_id) THEN
        RAISE EXCEPTION 'the posting is sealed';
    END IF;
    RETURN NEW;
END $$;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'the ledger is only added to';
END $$;
-- +goose StatementEnd

CREATE TRIGGER posting_balanced BEFORE INSERT ON posting FOR EACH ROW EXECUTE FUNCTION check_posting();
CREATE TRIGGER entry_sealed BEFORE INSERT ON entry FOR EACH ROW EXECUTE FUNCTION check_entry();
CREATE TRIGGER entry_stays BEFORE UPDATE OR DELETE ON entry FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER posting_stays BEFORE UPDATE OR DELETE ON posting FOR EACH ROW EXECUTE FUNCTION refuse_change();
CREATE TRIGGER entry_remains BEFORE TRUNCATE ON entry FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER posting_remains BEFORE TRUNCATE ON posting FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
