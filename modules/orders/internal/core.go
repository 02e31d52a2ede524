// Package internal is orders: the order and its machine (order.go, state.go) and what a saga does next (saga.go), which know neither database
// nor network; the sagas' calls and their answers (steps.go, run_saga.go); the watch over silent orders (watch.go); the store; and the ways in:
// requests (http.go, place_order.go, list.go), calls (view.go) and events (hear.go).
package internal

import (
	"context"
	"log/slog"
	"time"

	"kerf/platform/database"
	"kerf/platform/ids"
	"kerf/platform/outbox"
	"kerf/platform/work"
)

// The kinds of due work, keyed by the order's id.
const (
	sagaWork  = "saga"  // an open saga's next step
	watchWork = "watch" // an order that has been silent for long
)

// Clock tells domain time and wall time.
type Clock interface {
	Now() time.Time
	Wall() time.Time
}

// Collaborators are the modules that orders asks.
type Collaborators struct {
	Restaurants Quoter
	Consumers   Checker
	Kitchen     Tickets
	Accounting  Payments
	Delivery    Couriers
}

// Core is what the module does, behind its routes, its operations and its subscriptions.
type Core struct {
	db     *database.DB
	events *outbox.Outbox
	queue  *work.Queue
	clock  Clock
	ask    Collaborators
	log    *slog.Logger
}

// New returns the core and registers its kinds of work with the queue.
func New(db *database.DB, events *outbox.Outbox, queue *work.Queue, clock Clock, ask Collaborators, log *slog.Logger) *Core {
	c := &Core{db: db, events: events, queue: queue, clock: clock, ask: ask, log: log}
	queue.Handle(sagaWork, work.Wall, c.runSaga)
	queue.Handle(watchWork, work.Domain, c.watch)
	return c
}

// add writes a new order with its saga and events. It reports false, and writes nothing, if the quote was ordered before.
func (c *Core) add(ctx context.Context, tx *database.Tx, o *Order) (bool, error) {
	fresh, err := create(tx, o)
	if err != nil || !fresh {
		return false, err
	}
	o.changes.order = false // it is written already
	return true, c.save(ctx, tx, o, nil)
}

// save writes what has changed of an order, its sagas and its watch, and appends its events. claim is the saga's, if it holds one: then
// it goes on with what begins, and is finished if nothing does; else what begins is scheduled.
func (c *Core) save(ctx context.Context, tx *database.Tx, o *Order, claim *work.Claim) error {
	if err := saveSagas(tx, o); err != nil {
		return err
	}
	if o.changes.order {
		if err := update(tx, o); err != nil {
			return err
		}
	}
	for _, event := range o.changes.events {
		if err := c.events.Append(ctx, tx, o.ID, o.ID, event); err != nil {
			return err
		}
	}
	switch {
	case claim != nil && o.Saga == nil:
		claim.Finish(tx)
	case claim == nil && o.changes.begun:
		if err := c.queue.Schedule(tx, sagaWork, o.ID, c.clock.Wall(), nil); err != nil {
			return err
		}
	}
	return c.saveWatch(tx, o)
}

func saveSagas(tx *database.Tx, o *Order) error {
	for _, s := range o.changes.ended {
		if err := saveSaga(tx, s); err != nil {
			return err
		}
	}
	switch {
	case o.changes.begun:
		return createSaga(tx, o.ID, o.Saga)
	case o.changes.stepped:
		return saveSaga(tx, o.Saga)
	}
	return nil
}

func newID() string { return ids.New() }
