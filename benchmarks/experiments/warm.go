package experiments

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"gonum.org/v1/gonum/stat"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/usage"
	"kerf/platform/bus"
	"kerf/platform/bus/kafka"
	"kerf/platform/ids"
)

// A broker is poured warm by publishers who each wait for one message before they send the next, as relays with little to do, and by a group that hears
// them. Nothing of Kerf hears their topic.
const (
	pourTopic      = "kerf.warming.v1"
	pourPublishers = 8
	pourLook       = time.Second // how often it is looked at what a message costs
	// A message's cost is steady when the last looks, so many of them, save less than this share of what those before them cost.
	pourLooks  = 3
	pourSteady = 0.1
)

// warmed is what became of a broker that was poured warm.
type warmed struct {
	Messages int64
	// First and Last are the broker's CPU per message in the first second and in the last, in milliseconds.
	First, Last float64
	// Steady says that the last seconds saved little against those before; otherwise the time was up.
	Steady bool
}

// What pouring a broker warm made of it.
var (
	coldMessage = lab.Metric{Name: "broker_cold_ms_per_message", Label: "broker's CPU for a message, fresh", Unit: "ms", Neutral: true}
	warmMessage = lab.Metric{Name: "broker_warm_ms_per_message", Label: "broker's CPU for a message, poured warm", Unit: "ms", Neutral: true}
)

// fill puts it into the record.
func (w *warmed) fill(record *lab.Record) {
	if w == nil {
		return
	}
	record.Values[coldMessage.Name], record.Values[warmMessage.Name] = w.First, w.Last
	record.Samples[coldMessage.Name], record.Samples[warmMessage.Name] = w.Messages, w.Messages
}

// warmBroker carries messages through Apache Kafka until what one costs it is steady, at most for so long. A Java program compiles what it does often
// while it runs, and in its first minute costs several times of what it costs from then on; who deploys one for good pays for that once, so it must
// not be booked on the orders of a short window. Other brokers are left as they are: kfake is a Go program, with nothing to warm.
func (s *site) warmBroker(ctx context.Context, atMost time.Duration) (err error) {
	state, err := s.stand.Status()
	if err != nil {
		return err
	}
	for _, server := range state.Servers {
		if server.Name != "kafka" {
			continue
		}
		s.trial.Stage("warm the broker")
		w, err := s.pour(ctx, server.Address, atMost)
		if err != nil {
			return fmt.Errorf("warm the broker: %w", err)
		}
		s.warmed = &w
		s.trial.Record.Facts["before the warm-up"] = fmt.Sprintf("messages of nobody's through Apache Kafka, for %s at most, until they cost no less", atMost)
	}
	return nil
}

// pour publishes and hears until the broker's CPU per message is steady.
func (s *site) pour(ctx context.Context, address string, atMost time.Duration) (w warmed, err error) {
	carrier, err := kafka.New(kafka.Config{Brokers: []string{address}}, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return w, err
	}
	ctx, cancel := context.WithCancel(ctx)
	var busy sync.WaitGroup
	defer func() {
		cancel()
		busy.Wait()
		err = errors.Join(err, carrier.Close())
	}()
	var poured atomic.Int64
	if err := hear(ctx, carrier, &busy); err != nil {
		return w, err
	}
	failed := make(chan error, pourPublishers)
	for p := range pourPublishers {
		busy.Go(func() { failed <- pourOne(ctx, carrier.Publisher(), fmt.Sprintf("warming-%d", p), &poured) })
	}
	if err := s.watch.Begin(); err != nil {
		return w, err
	}
	defer s.watch.Close()
	return untilSteady(ctx, atMost, pourLook, failed, &poured, func() float64 { return s.watch.CPU(usage.Broker) })
}

// untilSteady looks at what a message costs, second by second, until it is steady or the time is up.
func untilSteady(ctx context.Context, atMost, every time.Duration, failed <-chan error, poured *atomic.Int64, cpu func() float64) (w warmed, err error) {
	began := time.Now()
	tick := time.NewTicker(every)
	defer tick.Stop()
	var used float64
	var costs []float64
	for !w.Steady && time.Since(began) < atMost {
		select {
		case <-tick.C:
		case err := <-failed:
			return w, err
		case <-ctx.Done():
			return w, context.Cause(ctx)
		}
		now, messages := cpu(), poured.Load()
		if messages == w.Messages {
			continue
		}
		cost := 1000 * (now - used) / float64(messages-w.Messages)
		costs, w.Messages, used = append(costs, cost), messages, now
		w.First, w.Last = costs[0], cost
		if late := len(costs) - pourLooks; late >= pourLooks {
			w.Steady = stat.Mean(costs[late:], nil) > (1-pourSteady)*stat.Mean(costs[late-pourLooks:late], nil)
		}
	}
	return w, nil
}

// hear takes what is poured.
func hear(ctx context.Context, carrier bus.Bus, busy *sync.WaitGroup) error {
	subscriber, err := carrier.Subscriber("warming")
	if err != nil {
		return err
	}
	heard, err := subscriber.Subscribe(ctx, pourTopic)
	if err != nil {
		return err
	}
	busy.Go(func() {
		for msg := range heard {
			msg.Ack()
		}
	})
	return nil
}

// pourOne publishes one message after the other, until the context ends.
func pourOne(ctx context.Context, publisher message.Publisher, key string, poured *atomic.Int64) error {
	for sequence := int64(1); ctx.Err() == nil; sequence++ {
		msg := bus.NewMessage(bus.Meta{
			ID: ids.New(), Type: "warming", Source: "laboratory", Subject: key, Key: key, Sequence: sequence, Time: time.Now(), CorrelationID: key,
			ContentType: bus.Protobuf.ContentType(), SchemaVersion: 1,
		}, make([]byte, 200))
		if err := publisher.Publish(pourTopic, msg); err != nil && ctx.Err() == nil {
			return err
		}
		poured.Add(1)
	}
	return nil
}
