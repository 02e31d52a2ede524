package kafka

import (
	"context"
	"errors"
	"sync/atomic"

	"github.com/segmentio/kafka-go"
)

// partition is read by one member for one turn.
type partition struct {
	*turn
	number int
	// place is the offset after the last message that was acked, or kafka.FirstOffset before any was, ever.
	place atomic.Int64
	// end is the offset that the next message will get, as far as known.
	end atomic.Int64
	// committed is the place that the group was told; of the turn's goroutine.
	committed int64
}

func (p *partition) lag() int64 { return max(p.end.Load()-max(p.place.Load(), 0), 0) }

// read delivers the partition's messages one after the other: until hold ends, while one is in flight, and else until more ends.
func (p *partition) read(hold, more context.Context) {
	r := p.bus.read(p.topic, p.number, p.place.Load())
	defer func() { r.close() }()
	for {
		record, err := r.FetchMessage(more)
		switch {
		case more.Err() != nil:
			return
		case errors.Is(err, kafka.OffsetOutOfRange):
			// The broker has lost what it had acknowledged, or deleted what was not read in time.
			p.bus.log.Error("broker does not have the place of the group any more, reading what it has", "topic", p.topic, "partition", p.number,
				"group", p.group, "place", p.place.Load())
			r.close()
			r = p.bus.read(p.topic, p.number, kafka.FirstOffset)
		case err != nil:
			p.bus.network.trouble(p.topic, "topic cannot be read, trying again", "topic", p.topic, "partition", p.number, "error", err)
			if !wait(more, p.bus.cfg.Timing.Retry) {
				return
			}
		default:
			p.end.Store(record.HighWaterMark)
			if !p.deliver(hold, more, &record) {
				return
			}
			p.place.Store(record.Offset + 1)
			select {
			case p.acks <- struct{}{}:
			default:
			}
		}
	}
}
