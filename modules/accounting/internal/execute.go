package internal

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"

	"google.golang.org/protobuf/proto"

	"kerf/modules/accounting/internal/provider"
	"kerf/platform/database"
	"kerf/platform/fault"
)

// A command that moves money takes two transactions with the provider's answer between them. The first writes the instruction down and
// has it looked up later, in case this process does not live to see the answer; the second records the answer. A command that is
// repeated meanwhile has an unknown outcome. Nothing of the caller's deadline reaches beyond the first: what was begun is
// recorded, whether he still waits or not.

// prepare decides in tx what a command comes to. It returns the instruction for the provider and the payment it is about; or, where
// nothing has to be asked, false.
type prepare func(ctx context.Context, tx *database.Tx, in *Instruction) (p *Payment, ask bool, err error)

// execute carries a command out, or returns what its first execution came to.
func (s *Service) execute(ctx context.Context, in Instruction, req proto.Message, prepare prepare) error {
	if in.Key == "" {
		return fault.Invalid(fault.Violation{Field: "operation_key", Description: "must be set"})
	}
	hash, err := hashOf(req)
	if err != nil {
		return err
	}
	in.BegunAt = s.clock.Wall()
	var (
		told    Instruction // in, with what prepare has set
		payment *Payment
		ask     bool
		refusal error
	)
	err = s.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		told, payment, ask, refusal = in, nil, false, nil // this may run again
		before, err := recall(tx.QueryRow(selectKept, in.Key))
		if err != nil {
			return err
		}
		if before != nil {
			refusal = before.answer(hash)
			return nil
		}
		err = tx.Savepoint(func() (err error) {
			if payment, ask, err = prepare(ctx, tx, &told); err != nil || !ask {
				return err
			}
			return s.await(tx, &told, hash)
		})
		if err != nil && !fault.Definite(err) {
			return err
		}
		if refusal = err; err == nil && ask {
			return nil
		}
		ask = false
		return keep(tx, &told, hash, refusal)
	})
	if err != nil {
		return err
	}
	if !ask {
		return refusal
	}
	return s.call(ctx, &told, payment)
}

// answer is what a repeat of a command gets.
func (k *kept) answer(hash []byte) error {
	switch {
	case string(k.hash) != string(hash):
		return fault.Refused("operation_key_reused", "the operation key was used with another request")
	case !k.done:
		return fault.Unknown(retryUnknown, "provider_unanswered", "the provider has not answered yet")
	}
	return k.refusal
}

// await writes an instruction down, to be looked up should its answer not be recorded.
func (s *Service) await(tx *database.Tx, in *Instruction, hash []byte) error {
	if err := begin(tx, in, hash); err != nil {
		return err
	}
	return s.queue.Schedule(tx, reconcilePayment, in.OrderID, in.BegunAt.Add(s.timeout+firstLook), nil)
}

// call asks the provider and records its answer.
func (s *Service) call(ctx context.Context, in *Instruction, p *Payment) error {
	ctx = context.WithoutCancel(ctx)
	answer, err := s.ask(ctx, in, p)
	if err != nil {
		s.log.WarnContext(ctx, "provider_unanswered", "order_id", in.OrderID, "kind", in.Kind, "error", err)
		return s.lookSoon(ctx, in.OrderID)
	}
	return s.record(ctx, s.db.Write, in, answer, true)
}

// ask puts an instruction to the provider, under the deadline that every call has. That it has not decided is no answer.
func (s *Service) ask(ctx context.Context, in *Instruction, p *Payment) (provider.Answer, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	answer, err := s.provider.Execute(ctx, in.told(p))
	if err == nil && answer.Status == provider.Pending {
		err = errPending
	}
	return answer, err
}

// lookSoon has reconciliation ask for the answer before long, and says that the outcome is not known.
func (s *Service) lookSoon(ctx context.Context, orderID string) error {
	err := s.db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		return s.queue.Schedule(tx, reconcilePayment, orderID, s.clock.Wall().Add(firstLook), nil)
	})
	if err != nil {
		s.log.ErrorContext(ctx, "reconciliation_not_hastened", "order_id", orderID, "error", err) // it is due later all the same
	}
	return fault.Unknown(retryUnknown, "provider_unanswered", "the provider has not answered yet")
}

// recorder is a transaction to record an answer in: the database's own, or that of a claim.
type recorder func(ctx context.Context, f func(ctx context.Context, tx *database.Tx) error) error

// record writes the provider's answer down, once, and returns what the command came to. settle takes the look-up back once nothing is
// left to look up; the look-up itself does not.
func (s *Service) record(ctx context.Context, write recorder, in *Instruction, answer provider.Answer, settle bool) error {
	var outcome error
	err := write(ctx, func(ctx context.Context, tx *database.Tx) error {
		p, err := find(tx, in.OrderID)
		if err != nil {
			return err
		}
		effect, result, fails := s.apply(p, in, answer)
		first := false
		if fails == nil {
			if first, err = finish(tx, in.Key, result); err != nil {
				return err
			}
		}
		if !first { // perhaps because the same answer has been recorded already
			before, err := recall(tx.QueryRow(selectKept, in.Key))
			if err == nil && before.done {
				outcome = before.refusal
				return nil
			}
			return errors.Join(fails, err)
		}
		outcome = result
		return s.conclude(ctx, tx, p, in, effect, settle)
	})
	if err != nil {
		return err
	}
	return outcome
}

// apply takes the payment through the machine by what the provider said. It writes nothing. The outcome is the command's: nil, or the
// refusal that it ends with.
func (s *Service) apply(p *Payment, in *Instruction, answer provider.Answer) (effect Effect, outcome, err error) {
	now := s.clock.Now()
	approved := answer.Status == provider.Approved
	switch in.Kind {
	case KindAuthorize:
		switch {
		case approved:
			effect, err = p.Approve(now)
		default:
			effect, err = p.Decline(answer.Reason, now)
		}
		if p.State == Voided {
			outcome = refusal(Voided, AskAuthorize)
		} else if !approved {
			outcome = fault.Refused("card_declined", "the card was declined")
		}
	case KindCapture:
		switch {
		case approved:
			effect, err = p.Capture(in.Amount, in.Purpose, in.CourierID, now)
		case answer.Reason == provider.ReasonExpired:
			effect, err = p.Lapse(now)
			outcome = refusal(Expired, AskCapture)
		default:
			err = contradiction(in, answer)
		}
	case KindVoid:
		if !approved && answer.Status != provider.NothingHeld {
			return Nothing, nil, contradiction(in, answer)
		}
		effect, err = p.Release(approved, in.late(), now)
	case KindRefund:
		if !approved {
			return Nothing, nil, contradiction(in, answer)
		}
		effect, err = p.Refund(in.Amount, now)
	}
	return effect, outcome, err
}

// contradiction is an answer that the provider cannot give in good order. The instruction stays open, and shows as stuck.
func contradiction(in *Instruction, answer provider.Answer) error {
	return fault.Internal(fmt.Errorf("the provider says %s (%s) to %s", answer.Status, answer.Reason, in.Reference), "provider_contradiction")
}

// conclude writes down what an answer has changed: the payment, its posting, its event, and what has to follow.
func (s *Service) conclude(ctx context.Context, tx *database.Tx, p *Payment, in *Instruction, effect Effect, settle bool) error {
	if in.Kind == KindVoid && effect == PublishVoided {
		if _, err := finishAuthorize(tx, p.OrderID); err != nil {
			return err
		}
	}
	follows := effect == ReleaseLate && p.Moving == "" // else the void that is on its way sees to it
	if follows {
		if err := s.releaseLate(tx, p); err != nil {
			return err
		}
	}
	if err := s.bookAndPublish(ctx, tx, p, in, effect); err != nil {
		return err
	}
	if err := update(tx, p); err != nil {
		return err
	}
	if settle && !follows && !p.Authorizing && p.Moving == "" {
		return s.queue.Cancel(tx, reconcilePayment, p.OrderID)
	}
	return nil
}

// finishAuthorize ends an authorisation whose hold was released: it was approved, and voided.
func finishAuthorize(tx *database.Tx, orderID string) (int64, error) {
	detail, err := encodeFault(refusal(Voided, AskAuthorize))
	if err != nil {
		return 0, err
	}
	result, err := tx.Exec(finishAuthorization, detail, orderID)
	if err != nil {
		return 0, fmt.Errorf("finish an authorisation: %w", err)
	}
	return result.RowsAffected()
}

// releaseLate begins the void that follows an approval which came after the void. Nobody waits for it: the look-up carries it out, at
// once.
func (s *Service) releaseLate(tx *database.Tx, p *Payment) error {
	p.Moving = KindVoid
	in := &Instruction{
		Key: lateVoidReference(p.OrderID), Reference: lateVoidReference(p.OrderID), OrderID: p.OrderID, Kind: KindVoid,
		Reason: p.Reason, BegunAt: s.clock.Wall(),
	}
	if err := begin(tx, in, []byte{}); err != nil {
		return err
	}
	return s.queue.Schedule(tx, reconcilePayment, p.OrderID, s.clock.Wall(), nil)
}

// hashOf identifies a request, so that a key is not used for two.
func hashOf(req proto.Message) ([]byte, error) {
	data, err := proto.MarshalOptions{Deterministic: true}.Marshal(req)
	if err != nil {
		return nil, fmt.Errorf("hash a request: %w", err)
	}
	sum := sha256.Sum256(append([]byte(req.ProtoReflect().Descriptor().FullName()), data...))
	return sum[:], nil
}
