-- +goose Up

-- The ledger: postings of entries that sum to zero in each currency. Entries come first, and their posting seals them: nothing can be
-- added, changed or taken away afterwards.
CREATE TABLE posting (
    id        TEXT    NOT NULL PRIMARY KEY, -- UUIDv7: in the order of booking
    order_id  TEXT    NOT NULL,
    kind      TEXT    NOT NULL CHECK (kind IN ('capture', 'refund')),
    reference TEXT    NOT NULL UNIQUE, -- of the instruction that moved the money: booked once
    reason    TEXT    NOT NULL,        -- the capture's purpose, the refund's reason
    posted_at INTEGER NOT NULL         -- microseconds of UTC, on the domain clock
) STRICT;

-- At most one charge for an order.
CREATE UNIQUE INDEX posting_capture ON posting (order_id) WHERE kind = 'capture';
CREATE INDEX posting_order ON posting (order_id, id);

CREATE TABLE entry (
    posting_id TEXT    NOT NULL REFERENCES posting (id) DEFERRABLE INITIALLY DEFERRED,
    line       INTEGER NOT NULL,
    account    TEXT    NOT NULL CHECK (account IN ('consumer', 'restaurant', 'courier', 'platform_fee', 'tax', 'refund')),
    owner_id   TEXT    NOT NULL, -- of consumer, restaurant and courier; empty for the platform's own accounts
    amount     INTEGER NOT NULL CHECK (amount <> 0), -- minor units: positive is credited, negative debited
    currency   TEXT    NOT NULL,
    PRIMARY KEY (posting_id, line)
) STRICT, WITHOUT ROWID;

CREATE INDEX entry_owner ON entry (owner_id, posting_id) WHERE owner_id <> '';

-- +goose StatementBegin
CREATE TRIGGER posting_balanced BEFORE INSERT ON posting
WHEN NOT EXISTS (SELECT 1 FROM entry WHERE posting_id = NEW.id)
    OR EXISTS (SELECT 1 FROM entry WHERE posting_id = NEW.id GROUP BY currency HAVING sum(amount) <> 0)
BEGIN
    SELECT RAISE(ABORT, 'a posting must sum to zero in each currency');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER entry_sealed BEFORE INSERT ON entry
WHEN EXISTS (SELECT 1 FROM posting WHERE id = NEW.posting_id)
BEGIN
    SELECT RAISE(ABORT, 'the posting is sealed');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER entry_stays BEFORE UPDATE ON entry
BEGIN
    SELECT RAISE(ABORT, 'the ledger is only added to');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER entry_remains BEFORE DELETE ON entry
BEGIN
    SELECT RAISE(ABORT, 'the ledger is only added to');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER posting_stays BEFORE UPDATE ON posting
BEGIN
    SELECT RAISE(ABORT, 'the ledger is only added to');
END;
-- +goose StatementEnd

-- +goose StatementBegin
CREATE TRIGGER posting_remains BEFORE DELETE ON posting
BEGIN
    SELECT RAISE(ABORT, 'the ledger is only added to');
END;
-- +goose StatementEnd
