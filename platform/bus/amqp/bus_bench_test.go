package amqp_test

import (
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/platform/bus"
	"kerf/platform/bus/amqp"
)

func openForBenchmark(b *testing.B, topic string, groups ...string) *amqp.Bus {
	b.Helper()
	cfg := amqp.Config{URL: broker(b), Groups: map[string][]string{topic: groups}}
	carrier, err := amqp.New(cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { forget(b, cfg.Groups) })
	b.Cleanup(func() { carrier.Close() })
	return carrier
}

// BenchmarkThroughput carries messages of 200 bytes from 4 publishers to two groups that ack each, in batches as an outbox makes them.
// msg/s counts each message once; publish_msg/s is until the last confirm.
func BenchmarkThroughput(b *testing.B) {
	for _, size := range []int{1, 64, 256} {
		b.Run(fmt.Sprint("batch=", size), func(b *testing.B) { carry(b, size) })
	}
}

func carry(b *testing.B, size int) {
	const publishers = 4
	topic := newTopic()
	carrier := openForBenchmark(b, topic, "a", "b")
	n := max(b.N/publishers/size, 1) // batches of a publisher
	var hearing, publishing sync.WaitGroup
	for _, group := range []string{"a", "b"} {
		sub, err := carrier.Subscriber(group)
		if err != nil {
			b.Fatal(err)
		}
		messages, err := sub.Subscribe(b.Context(), topic)
		if err != nil {
			b.Fatal(err)
		}
		hearing.Go(func() {
			for range publishers * n * size {
				(<-messages).Ack()
			}
		})
	}
	b.ResetTimer()
	started := time.Now()
	for p := range publishers {
		publishing.Go(func() {
			publisher := carrier.Publisher()
			for i := range n {
				if err := publisher.Publish(topic, sized(p, i*size, size)...); err != nil {
					b.Error(err)
				}
			}
		})
	}
	publishing.Wait()
	published := time.Since(started)
	hearing.Wait()
	heard := time.Since(started)
	b.ReportMetric(float64(publishers*n*size)/published.Seconds(), "publish_msg/s")
	b.ReportMetric(float64(publishers*n*size)/heard.Seconds(), "msg/s")
}

// sized returns n messages over 32 keys.
func sized(publisher, from, n int) []*message.Message {
	messages := make([]*message.Message, n)
	for i := range messages {
		key := fmt.Sprint(publisher, "-", (from+i)%32)
		messages[i] = bus.NewMessage(bus.Meta{
			ID: fmt.Sprint(key, "-", from+i), Type: "kerf.test.Happened", Source: "test", Subject: key, Key: key, Sequence: int64(from + i + 1),
			Time: time.UnixMicro(1), ContentType: bus.Protobuf.ContentType(), SchemaVersion: 1,
		}, make([]byte, 200))
	}
	return messages
}

// BenchmarkIdleLatency sends one message at a time: stored_ms is the median until it is confirmed, heard_ms until it is handed out.
func BenchmarkIdleLatency(b *testing.B) {
	topic := newTopic()
	carrier := openForBenchmark(b, topic, "a")
	sub, err := carrier.Subscriber("a")
	if err != nil {
		b.Fatal(err)
	}
	messages, err := sub.Subscribe(b.Context(), topic)
	if err != nil {
		b.Fatal(err)
	}
	publisher := carrier.Publisher()
	var stored, heard []float64
	for i := range b.N {
		started := time.Now()
		done := make(chan struct{})
		go func() {
			defer close(done)
			msg := <-messages
			heard = append(heard, time.Since(started).Seconds()*1000)
			msg.Ack()
		}()
		if err := publisher.Publish(topic, sized(0, i, 1)...); err != nil {
			b.Fatal(err)
		}
		stored = append(stored, time.Since(started).Seconds()*1000)
		<-done
	}
	for name, values := range map[string][]float64{"stored": stored, "heard": heard} {
		slices.Sort(values)
		b.ReportMetric(values[len(values)/2], name+"_ms")
		b.ReportMetric(values[len(values)*99/100], name+"_p99_ms")
	}
}
