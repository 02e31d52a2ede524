package internal

import (
	"context"
	"errors"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/bus"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/ids"
)

// reportLocation takes a courier's report of where it is. One that is not later than the last, or comes off shift, is dropped.
// NotFound if there is no such courier.
func (s *Service) reportLocation(ctx context.Context, courierID string, r report) error {
	sight := s.tracks.see(courierID, r, s.clock.Wall(), s.config.MovedEvery, true)
	if !sight.known {
		asOf := s.tracks.asOf()
		c, d, err := readCourier(ctx, s.db, courierID)
		if err != nil {
			return err
		}
		s.tracks.committed(*c, d, asOf)
		sight = s.tracks.see(courierID, r, s.clock.Wall(), s.config.MovedEvery, false)
	}
	if !sight.fresh {
		s.metrics.reports.WithLabelValues("stale").Inc()
		return nil
	}
	s.metrics.reports.WithLabelValues("taken").Inc()
	if sight.publish {
		s.moves.offer(courierMoved(courierID, r, sight.has))
	}
	if d := sight.has; d != nil && d.assigned() != "" && d.moved(s.road.expect(d, &r.position, r.at)) {
		s.expectAnew(ctx, d.OrderID)
	}
	return nil
}

// expectAnew tells the diner of another expected arrival, if it still is one when its turn comes.
func (s *Service) expectAnew(ctx context.Context, orderID string) {
	err := s.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		d, err := findScheduled(tx, orderID)
		if err != nil {
			return err
		}
		_, err = s.change(ctx, tx, d, func(*Delivery, time.Time) (Effect, error) { return Nothing, nil })
		return err
	})
	if err != nil { // the report was taken; the next one tries again
		s.log.WarnContext(ctx, "expected arrival not written", "order_id", orderID, "error", err)
	}
}

// keepPositions writes down where couriers are, all in one transaction, every so often and at the end.
func (s *Service) keepPositions(ctx context.Context) error {
	for {
		timer := s.clock.WallTimer(s.clock.Wall().Add(s.config.WriteEvery))
		select {
		case <-timer.C:
			if err := s.writePositions(ctx); err != nil && ctx.Err() == nil {
				s.log.WarnContext(ctx, "positions not written", "error", err)
			}
		case <-ctx.Done():
			timer.Stop()
			last, cancel := context.WithTimeout(context.WithoutCancel(ctx), lastWrite)
			defer cancel()
			if err := s.writePositions(last); err != nil { // their couriers will tell them again
				s.log.WarnContext(ctx, "last positions not written", "error", err)
			}
			return nil
		}
	}
}

// lastWrite bounds the write at the end of a process, so that a database that hangs does not hold it up.
const lastWrite = 2 * time.Second

func (s *Service) writePositions(ctx context.Context) error {
	reports := s.tracks.unwritten()
	if len(reports) == 0 {
		return nil
	}
	return s.db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		for id, r := range reports {
			version, err := writePosition(tx, id, r)
			if err != nil {
				return err
			}
			tx.AfterCommit(func() { s.tracks.wrote(id, r.sequence, version) })
		}
		tx.Notify(topicCouriers)
		return nil
	})
}

// courierMoved is the report as an event. It names the order that the courier goes for or carries; an offer is not one.
func courierMoved(courierID string, r report, has *Delivery) *deliveryapi.CourierMoved {
	event := &deliveryapi.CourierMoved{CourierId: courierID, Position: r.position.ToProto(), Sequence: r.sequence, Time: clock.ToProto(r.at)}
	if has != nil && has.assigned() != "" {
		event.OrderIds = []string{has.OrderID}
	}
	return event
}

// moves publishes CourierMoved beside the requests that report it, so that a slow bus slows no courier: what does not fit is lost.
type moves struct {
	publisher message.Publisher
	queue     chan *deliveryapi.CourierMoved
}

func newMoves(publisher message.Publisher) *moves {
	return &moves{publisher, make(chan *deliveryapi.CourierMoved, 256)}
}

func (m *moves) offer(event *deliveryapi.CourierMoved) {
	select {
	case m.queue <- event:
	default:
	}
}

func (m *moves) run(ctx context.Context, count *metrics) error {
	for {
		select {
		case event := <-m.queue:
			outcome := "published"
			if err := m.publish(event); err != nil {
				outcome = "unpublished" // lossy: counted, and made up for by the next
			}
			count.reports.WithLabelValues(outcome).Inc()
		case <-ctx.Done():
			return nil
		}
	}
}

func (m *moves) publish(event *deliveryapi.CourierMoved) error {
	payload, err := bus.Protobuf.Encode(event)
	if err != nil {
		return err
	}
	if m.publisher == nil {
		return errors.New("no publisher")
	}
	eventType, version := bus.TypeOf(event)
	return m.publisher.Publish(deliveryapi.PositionsTopic, bus.NewMessage(bus.Meta{
		ID: ids.New(), Type: eventType, Source: "delivery", Subject: event.GetCourierId(), Key: event.GetCourierId(),
		Sequence: event.GetSequence(), Time: event.GetTime().AsTime(), ContentType: bus.Protobuf.ContentType(), SchemaVersion: version,
	}, payload))
}
