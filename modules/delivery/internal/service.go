// Package internal is delivery: the delivery and the courier with their machines, what is expected of the road, and who is offered what
// (delivery.go, courier.go, transitions.go, eta.go, dispatch.go, which know neither database nor network); the stores; the rounds
// (round.go); the positions in memory (tracks.go, location.go); and the three ways in: calls of modules (calls.go), requests
// (routes.go, courier_routes.go) and events (listen.go).
package internal

import (
	"cmp"
	"context"
	"log/slog"
	"slices"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"golang.org/x/sync/errgroup"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/geo"
	"kerf/platform/outbox"
	"kerf/platform/work"
)

// lapseOffer is the due work that gives an unanswered offer back, keyed by order.
const lapseOffer = "lapse_offer"

// Config tunes delivery. Zero fields mean the default.
type Config struct {
	// On the domain clock.
	CourierSpeed   float64       // metres per minute, along the great circle; 320
	Approach       time.Duration // a courier's way to the counter while nobody is assigned; 8 min
	PickupService  time.Duration // from arrival at the counter until the courier leaves; 4 min
	DropoffService time.Duration // from arrival at the house until the diner has the food; 4 min
	OfferTime      time.Duration // to answer an offer; 5 min
	TurnedDownFor  time.Duration // how long a courier who turned an order down is not asked again; 10 min
	NoCourierAfter time.Duration // from when the food was promised until nobody is looked for any more; 60 min
	RoundEvery     time.Duration // between rounds while a delivery waits; 30 s
	Gather         time.Duration // least time between rounds, so that what happens at once is decided together; 5 s
	Slack          time.Duration // how long before the food a courier may be at the counter; 10 min

	// On the wall clock.
	MovedEvery time.Duration // least time between two CourierMoved of a courier; 250 ms
	WriteEvery time.Duration // between writing positions down; 2 s
}

func (c Config) withDefaults() Config {
	c.CourierSpeed = cmp.Or(c.CourierSpeed, 320)
	c.Approach = cmp.Or(c.Approach, 8*time.Minute)
	c.PickupService = cmp.Or(c.PickupService, 4*time.Minute)
	c.DropoffService = cmp.Or(c.DropoffService, 4*time.Minute)
	c.OfferTime = cmp.Or(c.OfferTime, 5*time.Minute)
	c.TurnedDownFor = cmp.Or(c.TurnedDownFor, 10*time.Minute)
	c.NoCourierAfter = cmp.Or(c.NoCourierAfter, time.Hour)
	c.RoundEvery = cmp.Or(c.RoundEvery, 30*time.Second)
	c.Gather = cmp.Or(c.Gather, 5*time.Second)
	c.Slack = cmp.Or(c.Slack, 10*time.Minute)
	c.MovedEvery = cmp.Or(c.MovedEvery, 250*time.Millisecond)
	c.WriteEvery = cmp.Or(c.WriteEvery, 2*time.Second)
	return c
}

// Service is delivery.
type Service struct {
	db      *database.DB
	events  *outbox.Outbox
	queue   *work.Queue
	clock   *clock.Clock
	config  Config
	road    road
	log     *slog.Logger
	metrics *metrics

	tracks *tracks
	moves  *moves
}

var _ deliveryapi.DeliveryService = (*Service)(nil)

// New makes delivery and registers its due work with the queue.
func New(db *database.DB, events *outbox.Outbox, queue *work.Queue, clk *clock.Clock, positions message.Publisher, cfg Config,
	log *slog.Logger, reg prometheus.Registerer) *Service {
	cfg = cfg.withDefaults()
	s := &Service{
		db: db, events: events, queue: queue, clock: clk, config: cfg, log: log,
		road:    road{cfg.CourierSpeed, cfg.Approach, cfg.PickupService, cfg.DropoffService},
		metrics: newMetrics(reg),
		tracks:  newTracks(),
		moves:   newMoves(positions),
	}
	queue.Handle(lapseOffer, work.Domain, s.lapse)
	db.ListenOthers(topicCouriers, s.tracks.doubt)
	return s
}

// Run dispatches, publishes where couriers are and writes it down, until ctx ends.
func (s *Service) Run(ctx context.Context) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.dispatch(ctx) })
	g.Go(func() error { return s.moves.run(ctx, s.metrics) })
	g.Go(func() error { return s.keepPositions(ctx) })
	return g.Wait()
}

// step is one step of a delivery's machine.
type step func(d *Delivery, now time.Time) (Effect, error)

// change takes a delivery through one step in tx, and its courier with it: state, event, expected arrival, and the time to answer an
// offer. It returns the courier that the step was about, nil if there is none or nothing changed. Nothing is written if the step is
// refused, by the delivery's machine or by the courier's.
func (s *Service) change(ctx context.Context, tx *database.Tx, d *Delivery, step step) (*Courier, error) {
	now := s.clock.Now()
	before := *d
	effect, err := step(d, now)
	if err != nil {
		return nil, err
	}
	if d.Version == before.Version && !before.State.arriving() {
		return nil, nil
	}
	c, err := s.courierOf(tx, &before, d)
	if err != nil {
		return nil, err
	}
	expected := s.road.expect(d, placeOf(c), now)
	moved := d.moved(expected) && effect != AskCourier // the answer will say more
	switch {
	case moved:
		d.promise(expected, now)
		d.Version, d.UpdatedAt = before.Version+1, now
	case d.Version == before.Version:
		return nil, nil
	}
	if c != nil {
		if err := settle(c, &before, d, now); err != nil {
			return nil, err
		}
	}
	return c, s.record(ctx, tx, &before, d, c, effect, moved)
}

// record writes a step down: delivery, courier, events and due work.
func (s *Service) record(ctx context.Context, tx *database.Tx, before, d *Delivery, c *Courier, effect Effect, moved bool) error {
	if err := updateDelivery(tx, d, before.Version); err != nil {
		return err
	}
	if c != nil {
		if err := s.saveCourier(tx, c, d); err != nil {
			return err
		}
	}
	if err := s.watch(tx, before, d); err != nil {
		return err
	}
	event := factOf(before, d, effect)
	if err := s.publish(ctx, tx, event); err != nil || !moved || tellsArrival(event) {
		return err
	}
	return s.publish(ctx, tx, etaChanged(d))
}

// courierOf returns the courier whom a step from before to d takes up, keeps or sets free.
func (s *Service) courierOf(tx *database.Tx, before, d *Delivery) (*Courier, error) {
	switch {
	case d.State.held():
		return s.findCourier(tx, d.CourierID)
	case before.State.held():
		return s.findCourier(tx, before.CourierID)
	}
	return nil, nil
}

// placeOf is where a courier was last seen, nil if never.
func placeOf(c *Courier) *geo.Position {
	if c == nil || c.LocatedAt.IsZero() {
		return nil
	}
	return &c.Position
}

// settle brings the courier along with its delivery. A courier who sees another state of the delivery than before has another
// version, because the delivery is part of what the courier's app polls.
func settle(c *Courier, before, d *Delivery, now time.Time) error {
	switch {
	case !before.State.held() && d.State.held():
		return c.Take(d.OrderID, now)
	case !before.State.held() || d.State.held():
		c.touch(now)
		return nil
	case d.State == Unassigned && d.Reason == becauseOffline:
		return c.GoOffline(now)
	}
	return c.Free(now)
}

// watch has an offer lapse when its time is over, and not after it was answered; keeps a courier who turned it down, or from whom support
// took it, from being asked again at once; and wakes the rounds when somebody is free or something waits.
func (s *Service) watch(tx *database.Tx, before, d *Delivery) error {
	if before.State == d.State {
		return nil
	}
	if before.State.held() && !d.State.held() {
		tx.Notify(topicDispatch)
	}
	if d.State == Unassigned && slices.Contains(turnedDownBecause, d.Reason) {
		now := d.UpdatedAt
		if err := turnDown(tx, d.OrderID, before.CourierID, now, now.Add(s.config.TurnedDownFor)); err != nil {
			return err
		}
	}
	switch {
	case d.State == Offered:
		return s.queue.Schedule(tx, lapseOffer, d.OrderID, d.OfferExpiresAt, nil)
	case before.State != Offered:
		return nil
	}
	if d.State == Unassigned && d.Reason == becauseTimedOut {
		return nil // the work that brought this ends itself
	}
	return s.queue.Cancel(tx, lapseOffer, d.OrderID)
}

// turnedDownBecause are the reasons why a delivery waits again that speak against the courier who had it.
var turnedDownBecause = []string{becauseDeclined, becauseTimedOut, becauseReassigned}

// lapse gives an offer back that nobody answered in time.
func (s *Service) lapse(ctx context.Context, c *work.Claim) error {
	return c.Record(ctx, func(ctx context.Context, tx *database.Tx) error {
		c.Finish(tx)
		d, err := findDelivery(tx, c.Key)
		if fault.KindOf(err) == fault.KindNotFound {
			return nil
		}
		if err != nil {
			return err
		}
		_, err = s.change(ctx, tx, d, (*Delivery).OfferLapses)
		return err
	})
}
