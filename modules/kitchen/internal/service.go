// Package internal is the kitchen: the ticket and its machine (ticket.go, transitions.go, which know neither database nor
// network), its store, and the three ways in: calls of modules (calls.go), requests (routes.go) and events (listen.go).
package internal

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/database"
	"kerf/platform/outbox"
	"kerf/platform/work"
)

// expireTicket is the due work that ends a ticket which nobody accepted, keyed by order.
const expireTicket = "expire_ticket"

// domainClock tells the domain's time.
type domainClock interface{ Now() time.Time }

// Service is the kitchen.
type Service struct {
	db     *database.DB
	events *outbox.Outbox
	queue  *work.Queue
	clock  domainClock
	log    *slog.Logger
}

var _ kitchenapi.KitchenService = (*Service)(nil)

// New makes the kitchen and registers its due work with the queue.
func New(db *database.DB, events *outbox.Outbox, queue *work.Queue, clk domainClock, log *slog.Logger) *Service {
	s := &Service{db: db, events: events, queue: queue, clock: clk, log: log}
	queue.Handle(expireTicket, work.Domain, s.expire)
	return s
}

// change takes an order's ticket through one step of its machine in tx: state, event, and the time to accept.
func (s *Service) change(ctx context.Context, tx *database.Tx, t *Ticket, step func(t *Ticket, now time.Time) (Effect, error)) error {
	version, state := t.Version, t.State
	effect, err := step(t, s.clock.Now())
	if err != nil || t.Version == version {
		return err
	}
	if err := update(tx, t, version); err != nil {
		return err
	}
	if err := s.watch(tx, t, state); err != nil {
		return err
	}
	return s.publish(ctx, tx, t, effect)
}

// watch has the ticket expire while the restaurant is asked, and not after; an undone cancel asks again, with the time that was left.
func (s *Service) watch(tx *database.Tx, t *Ticket, before State) error {
	switch {
	case t.State == before:
		return nil
	case t.State == AwaitingAcceptance:
		return s.queue.Schedule(tx, expireTicket, t.OrderID, t.AcceptBy, nil)
	case before == AwaitingAcceptance && t.State != Expired: // the expiry that brought EXPIRED ends itself
		return s.queue.Cancel(tx, expireTicket, t.OrderID)
	}
	return nil
}

// expire ends a ticket whose time to accept is over. In every other state than AWAITING_ACCEPTANCE it changes nothing.
func (s *Service) expire(ctx context.Context, c *work.Claim) error {
	return c.Record(ctx, func(ctx context.Context, tx *database.Tx) error {
		t, err := find(tx, c.Key)
		if err != nil {
			return err
		}
		c.Finish(tx)
		return s.change(ctx, tx, t, (*Ticket).Expire)
	})
}

// Audit counts what must come to an end: tickets that are open, and those of them that a cancel holds.
func (s *Service) Audit(ctx context.Context) (map[string]int64, error) {
	var open, held int64
	err := s.db.QueryRow(ctx, `SELECT count(*), count(*) FILTER (WHERE state = 'CANCEL_PENDING') FROM ticket
		WHERE state IN ('CREATED', 'AWAITING_ACCEPTANCE', 'ACCEPTED', 'PREPARING', 'READY', 'CANCEL_PENDING')`).Scan(&open, &held)
	if err != nil {
		return nil, fmt.Errorf("count the open tickets: %w", err)
	}
	return map[string]int64{"tickets_open": open, "tickets_cancel_pending": held}, nil
}
