package internal

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"kerf/modules/accounting/internal/provider"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/work"
)

// errPending says that an instruction has to be looked up again.
var errPending = errors.New("the provider has not decided yet")

// lookUpPart is how many orders are scheduled in one transaction.
const lookUpPart = 200

// Run has the provider asked at once for all that an earlier process told it and did not live to hear the answer of: nobody waits for those
// answers any more, and sagas wait for what comes of them. Then it waits for ctx to end. An instruction that is looked up too soon is told
// again, which the provider tells by its reference.
func (s *Service) Run(ctx context.Context) error {
	if err := s.lookUpAll(ctx, s.clock.Wall()); err != nil && ctx.Err() == nil {
		s.log.ErrorContext(ctx, "reconciliation_not_hastened", "error", err) // it is due later all the same
	}
	<-ctx.Done()
	return nil
}

// lookUpAll schedules the look-up of every order that has an open instruction.
func (s *Service) lookUpAll(ctx context.Context, now time.Time) error {
	orders, err := ordersWithOpen(ctx, s.db)
	if err != nil {
		return err
	}
	for part := range slices.Chunk(orders, lookUpPart) {
		err := s.db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
			for _, orderID := range part {
				if err := s.queue.Schedule(tx, reconcilePayment, orderID, now, nil); err != nil {
					return err
				}
			}
			return nil
		})
		if err != nil {
			return fmt.Errorf("schedule look-ups: %w", err)
		}
	}
	return nil
}

// reconcile finishes an order's instructions whose answers were not recorded: the provider was not heard in time, or this process
// ended before it was. It is tried again, ever less often, until the provider has told; an operator sees it as stuck after a while.
func (s *Service) reconcile(ctx context.Context, c *work.Claim) error {
	open, err := openInstructions(ctx, s.db, c.Key)
	if err != nil {
		return err
	}
	var unanswered []error
	for _, in := range open {
		err := s.lookUp(ctx, c, in)
		if errors.Is(err, work.ErrLeaseLost) {
			return err
		}
		if !fault.Definite(err) { // a refusal is how a command may well end
			unanswered = append(unanswered, err)
		}
	}
	return errors.Join(unanswered...)
}

// lookUp asks the provider what came of an instruction, has it carried out if the provider never heard of it, and records the answer.
func (s *Service) lookUp(ctx context.Context, c *work.Claim, in *Instruction) error {
	p, err := scanPayment(s.db.QueryRow(ctx, selectPayment, in.OrderID))
	if err != nil {
		return err
	}
	answer, known, err := s.recollect(ctx, in.Reference)
	if err != nil {
		return err
	}
	if !known {
		answer, err = s.neverHeard(ctx, in, p)
	}
	if err != nil {
		return err
	}
	if answer.Status == provider.Pending {
		return errPending
	}
	return s.record(ctx, c.Record, in, answer, false)
}

// recollect is the provider's Lookup, under the deadline that every call has.
func (s *Service) recollect(ctx context.Context, reference string) (provider.Answer, bool, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	return s.provider.Lookup(ctx, reference)
}

// neverHeard is what becomes of an instruction that the provider does not know: it is told again. But an authorisation that was voided
// meanwhile is not: it may still be on its way for a while, and then it will never take effect.
func (s *Service) neverHeard(ctx context.Context, in *Instruction, p *Payment) (provider.Answer, error) {
	if in.Kind != KindAuthorize || p.State != Voided {
		return s.ask(ctx, in, p)
	}
	if s.clock.Wall().Before(in.BegunAt.Add(2 * s.timeout)) {
		return provider.Answer{}, errPending
	}
	return provider.Answer{Status: provider.Declined, Reason: "never_received"}, nil
}
