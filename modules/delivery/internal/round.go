package internal

import (
	"context"
	"fmt"
	"time"

	"kerf/platform/database"
	"kerf/platform/fault"
)

// topicDispatch tells who dispatches, of the processes on the schema, that somebody is free or something is scheduled.
const topicDispatch = "dispatch"

// dispatch runs a round when somebody is free or something is scheduled, and every so often while a delivery waits; between two
// rounds it lets a little domain time pass, so that what happens at once is decided together. One process at a time does.
func (s *Service) dispatch(ctx context.Context) error {
	err := s.db.Exclusive(ctx, "dispatch", s.rounds)
	if ctx.Err() != nil {
		return nil
	}
	return err
}

func (s *Service) rounds(ctx context.Context, fence *database.Fence) error {
	wake := make(chan struct{}, 1)
	wake <- struct{}{} // what waited before this process had the job
	defer s.db.Listen(topicDispatch, func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	})()
	defer s.metrics.waiting.Set(0)
	waits := false
	for {
		var tick <-chan struct{}
		stop := func() {}
		if waits {
			timer := s.clock.Timer(s.clock.Now().Add(s.config.RoundEvery))
			tick, stop = timer.C, timer.Stop
		}
		select {
		case <-wake:
		case <-tick:
		case <-ctx.Done():
			stop()
			return nil
		}
		stop()
		left, err := s.Round(ctx, fence)
		if err != nil && ctx.Err() == nil {
			s.log.WarnContext(ctx, "dispatch round failed", "error", err)
		}
		waits = left > 0 || err != nil
		if s.clock.Wait(ctx, s.clock.Now().Add(s.config.Gather)) != nil {
			return nil
		}
	}
}

// Round offers waiting deliveries to couriers who are available, by least cost, and gives up those that nobody could take in time. It
// returns how many still wait. Rounds may run at the same time: what one has given away, the other passes over. With a fence, a round whose
// process has lost the job meanwhile decides nothing.
func (s *Service) Round(ctx context.Context, fence *database.Fence) (left int, err error) {
	began := s.clock.Wall()
	defer func() {
		s.metrics.rounds.Observe(s.clock.Wall().Sub(began).Seconds())
		s.metrics.waiting.Set(float64(left))
	}()
	now := s.clock.Now()
	found, err := readWaiting(ctx, s.db)
	if err != nil || len(found) == 0 {
		return 0, err
	}
	var late []string
	var open []*Delivery
	for _, d := range found {
		if now.Before(s.limit(d)) {
			open = append(open, d)
		} else {
			late = append(late, d.OrderID)
		}
	}
	pairs, err := s.pair(ctx, open, now)
	if err != nil || len(pairs)+len(late) == 0 {
		return len(open), err
	}
	given, err := s.claim(ctx, fence, pairs, late, now)
	return len(open) - given, err
}

// limit is until when a courier is looked for: counted from the promise, or from when we were asked, if that was later.
func (s *Service) limit(d *Delivery) time.Time {
	return later(d.ReadyBy, d.CreatedAt).Add(s.config.NoCourierAfter)
}

// pair proposes a courier for each of the deliveries that one is to be sent for now.
func (s *Service) pair(ctx context.Context, deliveries []*Delivery, now time.Time) ([]pair, error) {
	if len(deliveries) == 0 {
		return nil, nil
	}
	available, err := s.readCouriers(ctx, selectAvailable)
	if err != nil || len(available) == 0 {
		return nil, err
	}
	turnedDown, err := readTurnedDown(ctx, s.db, now)
	if err != nil {
		return nil, err
	}
	couriers := make([]free, len(available))
	for i, c := range available {
		couriers[i] = free{c.ID, c.Position}
	}
	looked := make([]waiting, len(deliveries))
	for i, d := range deliveries {
		looked[i] = waiting{d.OrderID, d.Pickup, d.foodAt(), s.limit(d), turnedDown[d.OrderID]}
	}
	return assign(now, looked, couriers, s.road, s.config.Slack), nil
}

// claim makes the offers of a round and ends the deliveries that are too late, in one transaction. What was proposed was read before
// it; here each delivery must still be UNASSIGNED and each courier AVAILABLE, or the pair is passed over. It returns how many offers
// were made.
func (s *Service) claim(ctx context.Context, fence *database.Fence, pairs []pair, late []string, now time.Time) (given int, err error) {
	expires := now.Add(s.config.OfferTime)
	err = s.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		given = 0 // the database may run this again
		if fence != nil {
			if err := fence.Check(tx); err != nil {
				return err
			}
		}
		for _, p := range pairs {
			made, err := s.take(ctx, tx, p.orderID, func(d *Delivery, now time.Time) (Effect, error) {
				return d.Offer(p.courierID, expires, now)
			})
			if err != nil {
				return fmt.Errorf("offer a delivery: %w", err)
			}
			if made {
				given++
			}
		}
		for _, orderID := range late {
			if _, err := s.take(ctx, tx, orderID, (*Delivery).GiveUp); err != nil {
				return fmt.Errorf("give a delivery up: %w", err)
			}
		}
		return nil
	})
	if err != nil {
		return 0, err
	}
	s.metrics.offers.Add(float64(given))
	return given, nil
}

// take takes a step that a round has decided on, and tells whether it was still to be taken.
func (s *Service) take(ctx context.Context, tx *database.Tx, orderID string, step step) (bool, error) {
	d, err := findScheduled(tx, orderID)
	if err == nil {
		_, err = s.change(ctx, tx, d, step)
	}
	switch fault.KindOf(err) {
	case fault.KindRefused, fault.KindNotFound:
		return false, nil
	}
	return err == nil, err
}
