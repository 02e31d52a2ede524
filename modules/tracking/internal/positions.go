package internal

import (
	"context"
	"fmt"

	"github.com/ThreeDotsLabs/watermill/message"
	"golang.org/x/sync/errgroup"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/bus"
	"kerf/platform/database"
)

// Run hears where couriers are and what other processes have changed, and does what one process at a time does, until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	messages, err := s.positions.Subscribe(ctx, deliveryapi.PositionsTopic)
	if err != nil {
		return fmt.Errorf("tracking hears %s: %w", deliveryapi.PositionsTopic, err)
	}
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return s.hearPositions(running, messages) })
	g.Go(func() error { return s.follow(running) })
	g.Go(func() error { return s.db.Exclusive(running, "views", s.keep) })
	if err := g.Wait(); ctx.Err() == nil {
		return err
	}
	return nil
}

// keep prunes, and rebuilds the views.
func (s *Service) keep(ctx context.Context, fence *database.Fence) error {
	g, ctx := errgroup.WithContext(ctx)
	g.Go(func() error { return s.rebuilder.work(ctx, fence) })
	g.Go(func() error { return s.pruneAll(ctx) })
	return g.Wait()
}

func (s *Service) hearPositions(ctx context.Context, messages <-chan *message.Message) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case msg, open := <-messages:
			if !open { // the bus is closed: the process ends
				messages = nil
				continue
			}
			s.hearPosition(msg)
			msg.Ack()
		}
	}
}

// hearPosition passes a position on to the streams. One that cannot be read is lost, as any may be.
func (s *Service) hearPosition(msg *message.Message) {
	meta, err := bus.MetaOf(msg)
	event := &deliveryapi.CourierMoved{}
	if err == nil {
		err = bus.Decode(meta.ContentType, msg.Payload, event)
	}
	if err != nil {
		s.log.Warn("a position is not readable", "message", msg.UUID, "error", err)
		return
	}
	s.watchers.courierMoved(event)
}
