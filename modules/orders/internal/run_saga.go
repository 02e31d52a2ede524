package internal

import (
	"context"
	"fmt"

	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/work"
)

// runSaga takes an order's saga as far as answers come. Each step is a call outside of any transaction, whose answer is recorded before the
// next; a crash anywhere repeats at most the one call, under the same key. What begins when a saga ends is run in the same claim.
func (c *Core) runSaga(ctx context.Context, claim *work.Claim) error {
	o, err := load(reading{ctx, c.db}, claim.Key)
	if err != nil {
		return err
	}
	ctx = identity.With(ctx, identity.Service("orders").For(o.ConsumerID))
	for o.Saga != nil {
		answer, unknown := c.call(ctx, o)
		if unknown == nil {
			o, err = c.record(ctx, claim, o.Saga, func(o *Order) { o.Answered(answer, c.clock.Now()) })
			if err != nil {
				return err
			}
			continue
		}
		turned := false
		o, err = c.record(ctx, claim, o.Saga, func(o *Order) { turned = o.Unanswered(c.clock.Now()) })
		if err != nil {
			return fmt.Errorf("%w; and not recorded: %w", unknown, err)
		}
		if !turned {
			return unknown // asked again after the queue's back-off
		}
	}
	return nil
}

// record writes down what became of the saga's step, takes the order up if the saga has ended, and returns the order as it is then. It
// begins from the order in the transaction: facts may have come during the call.
func (c *Core) record(ctx context.Context, claim *work.Claim, called *Saga, apply func(*Order)) (*Order, error) {
	var o *Order
	err := claim.Record(ctx, func(ctx context.Context, tx *database.Tx) (err error) {
		if o, err = load(tx, claim.Key); err != nil {
			return err
		}
		if o.Saga == nil || o.Saga.ID != called.ID || o.Saga.Step != called.Step {
			return fault.Internal(fmt.Errorf("saga %s is no longer at %s", called.ID, called.Step), "saga_moved")
		}
		apply(o)
		o.TakeUp(c.clock.Now(), newID)
		return c.save(ctx, tx, o, claim)
	})
	if err != nil {
		return nil, err
	}
	for _, s := range o.changes.ended {
		if s.Anomaly != "" {
			c.log.ErrorContext(ctx, "a saga went on past a refusal that no contract foresees",
				"order_id", o.ID, "saga_id", s.ID, "saga", s.Kind, "refusal", s.Anomaly)
		}
	}
	return o, nil
}
