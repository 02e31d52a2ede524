package internal

import (
	"context"
	"fmt"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/bus"
)

// pruneEvery is the time, on the wall, from one pruning to the next.
const pruneEvery = time.Minute

// Run hears where couriers are, and prunes, until ctx is done.
func (s *Service) Run(ctx context.Context) error {
	messages, err := s.positions.Subscribe(ctx, deliveryapi.PositionsTopic)
	if err != nil {
		return fmt.Errorf("tracking hears %s: %w", deliveryapi.PositionsTopic, err)
	}
	prune := time.NewTicker(pruneEvery)
	defer prune.Stop()
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
		case <-prune.C:
			if err := s.Prune(ctx); err != nil && ctx.Err() == nil {
				s.log.Error("changes of views are not pruned", "error", err)
			}
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
