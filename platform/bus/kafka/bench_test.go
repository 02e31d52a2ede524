package kafka_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	kafkago "github.com/segmentio/kafka-go"

	"kerf/platform/bus"
	"kerf/platform/bus/kafka"
)

func BenchmarkAgainstKafkaGoOnKfake(b *testing.B)       { against(b, kfakeProcess(b)) }
func BenchmarkAgainstKafkaGoOnApacheKafka(b *testing.B) { against(b, apacheKafka(b)) }

const (
	benchPublishers = 4
	benchBatch      = 100 // messages in a call of Publish, as an outbox makes them
)

// against carries the same messages, in batches, over this bus and over kafka-go alone (Writer with acks from all, Reader in a group
// with commits as often), and reports how many messages each carries per second from the first publish to the last ack. x_kafka_go is
// the ratio. The two take turns, so that what else the machine does slows both.
func against(b *testing.B, at *broker) {
	const turns = 10
	batches := max(b.N/(benchPublishers*benchBatch*turns), 5)
	own, other := newOwn(b, at), newBare(b, at)
	var ownTook, otherTook time.Duration
	b.ResetTimer()
	for range turns {
		ownTook += carry(b, own, batches)
		otherTook += carry(b, other, batches)
	}
	b.StopTimer()
	messages := float64(benchPublishers * benchBatch * batches * turns)
	b.ReportMetric(messages/ownTook.Seconds(), "bus_msg/s")
	b.ReportMetric(messages/otherTook.Seconds(), "kafka_go_msg/s")
	b.ReportMetric(otherTook.Seconds()/ownTook.Seconds(), "x_kafka_go")
	b.ReportMetric(0, "ns/op")
}

// carrier publishes batches, and hears messages one by one.
type carrier struct {
	publish func(batch []*message.Message) error
	heard   <-chan struct{}
}

// carry returns how long it takes until all that the publishers publish is heard.
func carry(b *testing.B, c carrier, batches int) time.Duration {
	var senders sync.WaitGroup
	started := time.Now()
	for p := range benchPublishers {
		senders.Go(func() {
			for n := range batches {
				if err := c.publish(batch(fmt.Sprintf("%d-%d", p, n))); err != nil {
					b.Error(err)
				}
			}
		})
	}
	for range benchPublishers * batches * benchBatch {
		<-c.heard
	}
	senders.Wait()
	return time.Since(started)
}

// batch makes events of as many aggregates.
func batch(name string) []*message.Message {
	messages := make([]*message.Message, benchBatch)
	for i := range messages {
		messages[i] = event(fmt.Sprintf("%s-%d", name, i), 1)
	}
	return messages
}

func newOwn(b *testing.B, at *broker) carrier {
	made := newBus(b, at, func(cfg *kafka.Config) { cfg.Timing = kafka.Timing{} })
	topic := bus.Topic(fmt.Sprint("own", time.Now().UnixNano()))
	sub, err := made.Subscriber("bench")
	if err != nil {
		b.Fatal(err)
	}
	messages, err := sub.Subscribe(context.Background(), topic)
	if err != nil {
		b.Fatal(err)
	}
	heard := make(chan struct{}, 1024)
	go func() {
		for msg := range messages {
			msg.Ack()
			heard <- struct{}{}
		}
	}()
	publisher := made.Publisher()
	c := carrier{func(batch []*message.Message) error { return publisher.Publish(topic, batch...) }, heard}
	carry(b, c, 1)
	return c
}

func newBare(b *testing.B, at *broker) carrier {
	topic := bus.Topic(fmt.Sprint("bare", time.Now().UnixNano()))
	client := &kafkago.Client{Addr: kafkago.TCP(at.address)}
	if _, err := client.CreateTopics(b.Context(), &kafkago.CreateTopicsRequest{
		Topics: []kafkago.TopicConfig{{Topic: topic, NumPartitions: 8, ReplicationFactor: 1}},
	}); err != nil {
		b.Fatal(err)
	}
	reader := kafkago.NewReader(kafkago.ReaderConfig{
		Brokers: []string{at.address}, GroupID: "bench." + topic, Topic: topic, StartOffset: kafkago.FirstOffset,
		MinBytes: 1, MaxBytes: 1 << 20, CommitInterval: 250 * time.Millisecond,
	})
	writer := &kafkago.Writer{
		Addr: kafkago.TCP(at.address), Topic: topic, Balancer: kafkago.Murmur2Balancer{}, RequiredAcks: kafkago.RequireAll,
		BatchTimeout: time.Millisecond, BatchSize: 1000,
	}
	b.Cleanup(func() {
		writer.Close()
		reader.Close()
	})
	heard := make(chan struct{}, 1024)
	go func() {
		for {
			record, err := reader.FetchMessage(context.Background())
			if err != nil {
				return
			}
			if err := reader.CommitMessages(context.Background(), record); err != nil {
				b.Error(err)
			}
			heard <- struct{}{}
		}
	}()
	c := carrier{func(batch []*message.Message) error {
		records := make([]kafkago.Message, len(batch))
		for i, msg := range batch {
			records[i] = kafkago.Message{Key: []byte(bus.KeyOf(msg)), Value: msg.Payload}
			for name, value := range msg.Metadata {
				records[i].Headers = append(records[i].Headers, kafkago.Header{Key: name, Value: []byte(value)})
			}
		}
		return writer.WriteMessages(context.Background(), records...)
	}, heard}
	carry(b, c, 1)
	return c
}

func BenchmarkLatencyOnKfake(b *testing.B)       { latency(b, kfakeProcess(b)) }
func BenchmarkLatencyOnApacheKafka(b *testing.B) { latency(b, apacheKafka(b)) }

// latency reports how long a lone message takes to be published, and from publish to its handler.
func latency(b *testing.B, at *broker) {
	made := newBus(b, at, func(cfg *kafka.Config) { cfg.Timing = kafka.Timing{} })
	topic := bus.Topic(fmt.Sprint("lone", time.Now().UnixNano()))
	sub, err := made.Subscriber("bench")
	if err != nil {
		b.Fatal(err)
	}
	messages, err := sub.Subscribe(context.Background(), topic)
	if err != nil {
		b.Fatal(err)
	}
	publisher := made.Publisher()
	var published, handled []time.Duration
	for i := range b.N + 1 {
		msg := event("k", i+1)
		started := time.Now()
		acknowledged := make(chan time.Duration, 1)
		go func() {
			if err := publisher.Publish(topic, msg); err != nil {
				b.Error(err)
			}
			acknowledged <- time.Since(started)
		}()
		heard := <-messages
		took := time.Since(started)
		heard.Ack()
		if i > 0 { // the first waits for the group
			published, handled = append(published, <-acknowledged), append(handled, took)
		}
	}
	slices.Sort(published)
	slices.Sort(handled)
	for _, of := range []struct {
		name   string
		sorted []time.Duration
	}{{"publish", published}, {"handled", handled}} {
		b.ReportMetric(float64(of.sorted[len(of.sorted)/2].Microseconds()), of.name+"_p50_µs")
		b.ReportMetric(float64(of.sorted[len(of.sorted)*99/100].Microseconds()), of.name+"_p99_µs")
	}
	b.ReportMetric(0, "ns/op")
}
