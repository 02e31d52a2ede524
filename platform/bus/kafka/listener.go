package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/segmentio/kafka-go"
)

// queue is how many messages a listener keeps for a slow consumer before it loses the oldest.
const queue = 256

// listen makes the subscription hear all that is published on the topic from now on, in no group. The function that it returns works
// until the subscription ends.
func (s *subscription) listen() (func(), error) {
	ctx, cancel := context.WithTimeoutCause(s.ctx, s.bus.cfg.Timing.Publish, ErrUnavailable)
	defer cancel()
	all := make([]kafka.OffsetRequest, s.bus.cfg.Partitions)
	for p := range all {
		all[p] = kafka.LastOffsetOf(p)
	}
	ends, err := s.bus.ends(ctx, s.topic, all)
	if err != nil {
		return nil, fmt.Errorf("listen to %s: %w", s.topic, err)
	}
	return func() {
		feed := make(chan kafka.Message, queue)
		var reading sync.WaitGroup
		for p, end := range ends {
			reading.Go(func() { s.follow(p, end, feed) })
		}
		for s.ctx.Err() == nil {
			select {
			case record := <-feed:
				s.send(s.ctx, &record) // lossy: a nacked message is not sent again
			case <-s.ctx.Done():
			}
		}
		reading.Wait()
	}, nil
}

// follow feeds a partition's messages from an offset on.
func (s *subscription) follow(partition int, from int64, feed chan kafka.Message) {
	r := s.bus.read(s.topic, partition, from)
	defer func() { r.close() }()
	for {
		record, err := r.FetchMessage(s.ctx)
		switch {
		case s.ctx.Err() != nil:
			return
		case errors.Is(err, kafka.OffsetOutOfRange):
			r.close()
			r = s.bus.read(s.topic, partition, kafka.LastOffset)
		case err != nil:
			s.bus.network.trouble(s.topic, "topic cannot be read, trying again", "topic", s.topic, "partition", partition, "error", err)
			if !wait(s.ctx, s.bus.cfg.Timing.Retry) {
				return
			}
		default:
			offer(feed, record)
		}
	}
}

// offer never waits: if the feed is full, its oldest message is lost.
func offer(feed chan kafka.Message, record kafka.Message) {
	for {
		select {
		case feed <- record:
			return
		default:
		}
		select {
		case <-feed:
		default:
		}
	}
}

// ends returns where partitions of a topic end: the offsets that their next messages will get. It tries again until ctx ends.
func (b *Bus) ends(ctx context.Context, topic string, of []kafka.OffsetRequest) (ends map[int]int64, err error) {
	err = b.insist(ctx, func() error {
		ends, err = b.askEnds(ctx, topic, of)
		return err
	})
	return ends, err
}

func (b *Bus) askEnds(ctx context.Context, topic string, of []kafka.OffsetRequest) (map[int]int64, error) {
	answer, err := b.client.ListOffsets(ctx, &kafka.ListOffsetsRequest{Topics: map[string][]kafka.OffsetRequest{topic: of}})
	if err != nil {
		return nil, err
	}
	ends := map[int]int64{}
	for _, p := range answer.Topics[topic] {
		if p.Error != nil {
			return nil, p.Error
		}
		ends[p.Partition] = p.LastOffset
	}
	if len(ends) != len(of) {
		return nil, fmt.Errorf("%d partitions were asked for, %d answered", len(of), len(ends))
	}
	return ends, nil
}
