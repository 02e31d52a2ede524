package memory_test

import (
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/gochannel"

	"kerf/platform/bus/memory"
)

const publishers = 16

// BenchmarkAgainstGoChannel carries the same messages over this bus with two groups, and over Watermill's gochannel with two
// subscribers, in the only mode in which that keeps order. x_gochannel is how many times as many messages this bus carries per second.
// The two take turns, so that what else the machine does slows both.
func BenchmarkAgainstGoChannel(b *testing.B) {
	const turns = 20
	n := max(b.N/publishers/turns, 1)
	var own, other time.Duration
	for range turns {
		own += carryMemory(b, n)
		other += carryGoChannel(b, n)
	}
	messages := float64(publishers * n * turns)
	b.ReportMetric(messages/own.Seconds(), "memory_msg/s")
	b.ReportMetric(messages/other.Seconds(), "gochannel_msg/s")
	b.ReportMetric(other.Seconds()/own.Seconds(), "x_gochannel")
}

func carryMemory(b *testing.B, n int) time.Duration {
	m := memory.New(memory.Config{Groups: map[string][]string{"t": {"a", "b"}}})
	defer m.Close()
	return carry(b, n, m.Publisher(), func(i int) message.Subscriber {
		sub, err := m.Subscriber([]string{"a", "b"}[i])
		if err != nil {
			b.Fatal(err)
		}
		return sub
	})
}

func carryGoChannel(b *testing.B, n int) time.Duration {
	c := gochannel.NewGoChannel(gochannel.Config{BlockPublishUntilSubscriberAck: true}, watermill.NopLogger{})
	defer c.Close()
	return carry(b, n, c, func(int) message.Subscriber { return c })
}

// carry publishes n messages from each publisher, and returns how long it takes until two subscribers have acked them all. It fails if
// the messages of a publisher, which have a key of their own, come out of order.
func carry(b *testing.B, n int, publisher message.Publisher, subscriber func(i int) message.Subscriber) time.Duration {
	var consumers, senders sync.WaitGroup
	for i := range 2 {
		messages, err := subscriber(i).Subscribe(b.Context(), "t")
		if err != nil {
			b.Fatal(err)
		}
		consumers.Go(func() {
			last := map[string]string{}
			for range publishers * n {
				msg := <-messages
				key, id := msg.Metadata["ce_partitionkey"], msg.UUID
				if id <= last[key] {
					b.Errorf("%s came after %s", id, last[key])
				}
				last[key] = id
				msg.Ack()
			}
		})
	}
	started := time.Now()
	payload := make([]byte, 200)
	for p := range publishers {
		senders.Go(func() {
			key := fmt.Sprint("order-", p)
			for i := range n {
				msg := message.NewMessage(fmt.Sprintf("%09d", i+1), payload)
				msg.Metadata.Set("ce_partitionkey", key)
				if err := publisher.Publish("t", msg); err != nil {
					b.Error(err)
				}
			}
		})
	}
	senders.Wait()
	consumers.Wait()
	return time.Since(started)
}
