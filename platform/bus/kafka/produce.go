package kafka

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/protocol/produce"
)

// produce sends a round of messages, in one request to each broker that leads some of them, and ends the calls whose messages are all
// acknowledged or of which one is refused. It returns the messages that may be sent again, in their order: all of a partition or none,
// so that order is kept.
func (b *Bus) produce(t *topic, round []outgoing) []outgoing {
	ctx, cancel := context.WithTimeout(b.closing, b.cfg.Timing.Publish)
	defer cancel()
	leaders, err := b.leaders(ctx, t.name)
	if err != nil {
		return b.failed(t, round, err)
	}
	parts := map[int][]outgoing{} // by partition
	requests := map[int][]int{}   // partitions by leader
	for _, out := range round {
		if parts[out.partition] == nil {
			leader := leaders[out.partition]
			requests[leader] = append(requests[leader], out.partition)
		}
		parts[out.partition] = append(parts[out.partition], out)
	}
	var (
		mu    sync.Mutex
		again []outgoing
		sent  sync.WaitGroup
	)
	for _, partitions := range requests {
		sent.Go(func() {
			errs := b.request(ctx, t.name, partitions, parts)
			mu.Lock()
			defer mu.Unlock()
			for _, p := range partitions {
				if err := errs[p]; err != nil {
					again = append(again, b.failed(t, parts[p], err)...)
					continue
				}
				for _, out := range parts[p] {
					out.call.acknowledged(1)
				}
			}
		})
	}
	sent.Wait()
	return again
}

// leaders returns the broker that leads each partition, as far as the transport knows.
func (b *Bus) leaders(ctx context.Context, name string) ([]int, error) {
	partitions, err := b.partitions(ctx, name)
	if err != nil {
		return nil, err
	}
	leaders := make([]int, b.cfg.Partitions)
	for _, p := range partitions {
		if p.ID < len(leaders) {
			leaders[p.ID] = p.Leader.ID
			if p.Leader.Host == "" {
				leaders[p.ID] = -1 // the transport will refuse that request, and no other
			}
		}
	}
	return leaders, nil
}

// request sends what the partitions are to get, and returns what went wrong by partition.
func (b *Bus) request(ctx context.Context, name string, partitions []int, parts map[int][]outgoing) map[int]error {
	topic := produce.RequestTopic{Topic: name}
	for _, p := range partitions {
		topic.Partitions = append(topic.Partitions, requestPartition(p, parts[p]))
	}
	answer, err := b.transport.RoundTrip(ctx, b.client.Addr, &produce.Request{
		Acks:    int16(kafka.RequireAll),
		Timeout: int32(b.cfg.Timing.Publish.Milliseconds()),
		Topics:  []produce.RequestTopic{topic},
	})
	errs := map[int]error{}
	for _, p := range partitions {
		errs[p] = err
	}
	if err != nil {
		return errs
	}
	for _, p := range partitions {
		errs[p] = fmt.Errorf("the broker's answer leaves partition %d out", p)
	}
	for _, t := range answer.(*produce.Response).Topics {
		for _, p := range t.Partitions {
			errs[int(p.Partition)] = nil
			if p.ErrorCode != 0 {
				errs[int(p.Partition)] = kafka.Error(p.ErrorCode)
			}
		}
	}
	return errs
}

func requestPartition(partition int, messages []outgoing) produce.RequestPartition {
	now := time.Now()
	records := make([]kafka.Record, len(messages))
	for i, out := range messages {
		records[i] = kafka.Record{Time: now, Key: kafka.NewBytes(out.key), Value: kafka.NewBytes(out.value), Headers: out.headers}
	}
	part := produce.RequestPartition{Partition: int32(partition)}
	part.RecordSet.Records = kafka.NewRecordReader(records...)
	return part
}

// failed returns the messages if time may mend the error; else their calls end with it.
func (b *Bus) failed(t *topic, messages []outgoing, err error) []outgoing {
	if !transient(err) {
		for _, out := range messages {
			out.call.end(err)
		}
		return nil
	}
	if errors.Is(err, kafka.UnknownTopicOrPartition) {
		t.made.Store(false) // the next call of Publish makes it
	}
	for _, out := range messages {
		out.call.failing(err)
	}
	return messages
}
