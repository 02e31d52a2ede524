package kafka

import (
	"context"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/segmentio/kafka-go"

	"kerf/platform/bus"
)

// subscription is one call of Subscribe.
type subscription struct {
	bus    *Bus
	group  string
	topic  string
	ctx    context.Context
	cancel context.CancelFunc
	// out has no room, so that a message which nobody took is not there any more when its partition has moved.
	out  chan *message.Message
	done chan struct{} // closed after out

	delivered, again, commitErrors prometheus.Counter
	// current is the part in the group's present generation, nil between two of them.
	current atomic.Pointer[turn]
}

func newSubscription(ctx context.Context, b *Bus, group, topic string) *subscription {
	ctx, cancel := context.WithCancel(ctx)
	return &subscription{
		bus:          b,
		group:        group,
		topic:        topic,
		ctx:          ctx,
		cancel:       cancel,
		out:          make(chan *message.Message),
		done:         make(chan struct{}),
		delivered:    b.metrics.delivered.WithLabelValues(topic, group),
		again:        b.metrics.redelivered.WithLabelValues(topic, group),
		commitErrors: b.metrics.commitErrors.WithLabelValues(topic, group),
	}
}

// begin prepares reading. The function that it returns reads until the subscription ends.
func (s *subscription) begin() (func(), error) {
	if s.group == "" {
		return s.listen()
	}
	return s.join()
}

// deliver sends what was read until it is acked. It gives up and returns false when hold ends, in the middle of a delivery, and when
// more ends, before the next one.
func (s *subscription) deliver(hold, more context.Context, record *kafka.Message) bool {
	for nacks := 0; more.Err() == nil; nacks++ {
		switch s.send(hold, record) {
		case bus.Acked:
			return true
		case bus.Abandoned:
			return false
		}
		if nacks > 0 && !wait(more, growing(time.Millisecond, nacks-1, longestPause)) {
			return false
		}
		s.again.Inc()
	}
	return false
}

// longestPause bounds the pauses between deliveries of one message. There is none before the second.
const longestPause = 50 * time.Millisecond

// send hands out a new message and waits for the answer.
func (s *subscription) send(ctx context.Context, record *kafka.Message) bus.Answer {
	return bus.HandOut(ctx, s.out, newMessage(record), s.delivered.Inc)
}
