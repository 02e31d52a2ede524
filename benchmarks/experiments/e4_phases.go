package experiments

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/benchmarks/usage"
	"kerf/platform/bus"
)

// busBench carries messages over one bus: publisher and handler are in this process, as in a monolith; the broker, if there is one, is not.
type busBench struct {
	bus       bus.Bus
	publisher message.Publisher
	payloads  []payload
	first     time.Duration // the warm-up before the first part
	warmup    time.Duration
	length    time.Duration
	watch     *usage.Watcher
	ledger    *ledger
	told      report
}

// run makes the three parts: as fast as acknowledged in batches, the same one at a time, and at a fixed rate. After each, all has to be handled.
func (b *busBench) run(ctx context.Context, rate float64, seed uint64) error {
	stop, err := b.listen(ctx)
	if err != nil {
		return err
	}
	defer b.watch.Close()
	if err = b.flood(ctx, busBatch, b.first); err == nil {
		err = b.flood(ctx, 1, b.warmup)
	}
	if err == nil {
		err = b.paced(ctx, rate, seed)
	}
	err = errors.Join(err, stop())
	b.told.Violations, b.told.Told = b.ledger.violations, b.ledger.told
	return err
}

// flood publishes size messages at a time, from several publishers, each as soon as the last ones were acknowledged, and counts what is handled.
func (b *busBench) flood(ctx context.Context, size int, warmup time.Duration) error {
	flooding, stop := context.WithCancel(ctx)
	defer stop()
	var publishers sync.WaitGroup
	failed := make(chan error, busPublishers)
	for p := range busPublishers {
		publishers.Go(func() {
			if err := b.pour(flooding, p, size); err != nil {
				stop()
				failed <- fmt.Errorf("publish %d at a time: %w", size, err)
			}
		})
	}
	carried, err := b.count(flooding, warmup)
	stop()
	publishers.Wait()
	select {
	case err = <-failed: // which is why the count was cut short
	default:
	}
	if err != nil {
		return err
	}
	b.flooded(size, carried)
	return b.drain(ctx)
}

// pour is one publisher. It has orders of its own, so that what it publishes of each is in order.
func (b *busBench) pour(ctx context.Context, publisher, size int) error {
	key := publisher
	batch := make([]*message.Message, size)
	for {
		for i := range batch {
			select {
			case b.ledger.credit <- struct{}{}:
			case <-ctx.Done():
				return b.publish(batch[:i])
			}
			batch[i] = b.next(key, time.Time{})
			key = (key + busPublishers) % busKeys
		}
		if err := b.publish(batch); err != nil {
			return err
		}
	}
}

func (b *busBench) publish(messages []*message.Message) error {
	if len(messages) == 0 {
		return nil
	}
	return b.publisher.Publish(busTopic, messages...)
}

// flow is what was handled in a window.
type flow struct {
	messages int64
	usage    usage.Window
}

// count lets the warm-up pass and counts what is handled in the window after it.
func (b *busBench) count(ctx context.Context, warmup time.Duration) (c flow, err error) {
	if err := wait(ctx, warmup); err != nil {
		return c, err
	}
	if err := b.watch.Begin(); err != nil {
		return c, err
	}
	before := b.ledger.handledSoFar()
	if err := wait(ctx, b.length); err != nil {
		return c, err
	}
	c.messages = b.ledger.handledSoFar() - before
	c.usage, err = b.watch.End()
	if err == nil && c.messages == 0 {
		err = errors.New("nothing was handled in the window")
	}
	return c, err
}

// flooded tells what a flood found. The usage of the batches is the run's.
func (b *busBench) flooded(size int, c flow) {
	rate := float64(c.messages) / c.usage.Seconds
	if size == 1 {
		b.told.beside("one at a time", c.usage)
		b.value(busSingles, rate, c.messages)
		b.value(busSinglesCPU, microseconds(c.usage, usage.Modules, usage.Broker)/float64(c.messages), c.messages)
		return
	}
	b.told.Usage = &c.usage
	b.told.beside("batches", c.usage)
	b.value(busMessages, rate, c.messages)
	b.value(busCPU, microseconds(c.usage, usage.Modules, usage.Broker)/float64(c.messages), c.messages)
	b.value(busModuleCPU, microseconds(c.usage, usage.Modules)/float64(c.messages), c.messages)
	b.value(busBrokerCPU, microseconds(c.usage, usage.Broker)/float64(c.messages), c.messages)
}

func (b *busBench) value(m lab.Metric, value float64, samples int64) {
	b.told.Values[m.Name], b.told.Samples[m.Name] = value, samples
}

// microseconds are the CPU of roles.
func microseconds(w usage.Window, roles ...usage.Role) (sum float64) {
	for _, role := range roles {
		sum += 1e6 * w.CPU[role]
	}
	return sum
}

// drain waits until all that was published is handled. What is not, after some time, is lost.
func (b *busBench) drain(ctx context.Context) error {
	deadline := time.Now().Add(busDrain)
	for b.ledger.missing() > 0 {
		if time.Now().After(deadline) {
			b.ledger.lose()
			return nil
		}
		if err := wait(ctx, 2*time.Millisecond); err != nil {
			return err
		}
	}
	return nil
}

// paced tells how soon messages are handled that are published at a fixed rate.
func (b *busBench) paced(ctx context.Context, rate float64, seed uint64) error {
	s, used, late, err := punctual("publish", func() (load.Snapshot, usage.Window, error) { return b.pace(ctx, rate, seed) })
	if err != nil {
		return err
	}
	b.value(busLate, float64(late), lateTries)
	if late < lateTries {
		b.told.beside("at the fixed rate", used)
		b.timed(s, used)
	}
	return nil
}

// pace publishes at the instants of Poisson arrivals, one message each, and records how long each takes from its instant until it is handled.
func (b *busBench) pace(ctx context.Context, rate float64, seed uint64) (s load.Snapshot, used usage.Window, err error) {
	recorder := load.NewRecorder()
	observer := load.NewCaller(recorder, 1, 0)
	var orders [busKeys]sync.Mutex // what is published of an order has to be in order
	b.ledger.observe = func(intended, handled time.Time) { observer.Observe("handled", intended, handled, nil) }
	loop := load.Open{
		Arrivals: load.For(b.warmup+b.length, load.Poisson(rate, seed)), Workers: busKeys, MaxJourneys: busCredit, Drain: busDrain, Recorder: recorder,
		Journey: func(ctx context.Context, caller *load.Caller, n int, intended time.Time) error {
			_, err := caller.Do(ctx, "publish", intended, func(context.Context, int) error {
				key := n % busKeys
				orders[key].Lock()
				defer orders[key].Unlock()
				return b.publisher.Publish(busTopic, b.next(key, intended))
			})
			return err
		},
	}
	outcome, used, err := overWindow(ctx, loop, b.warmup, b.length, b.watch)
	if err != nil {
		return s, used, err
	}
	if outcome.Failure != nil {
		return s, used, fmt.Errorf("publish at a fixed rate: %w", outcome.Failure)
	}
	err = b.drain(ctx)
	return recorder.Snapshot(), used, err
}

// timed tells what the fixed rate found.
func (b *busBench) timed(s load.Snapshot, used usage.Window) {
	if s.Arrivals > 0 {
		b.value(busPacedCPU, microseconds(used, usage.Modules, usage.Broker)/float64(s.Arrivals), s.Arrivals)
	}
	handled, published := s.Ops["handled"], s.Ops["publish"]
	b.told.Errors = s.Errors
	for metric, of := range map[lab.Metric]struct {
		op         load.Op
		percentile float64
	}{busHandledP50: {handled, 50}, busHandledP99: {handled, 99}, busPublishedP50: {published, 50}} {
		if of.op.Response == nil {
			continue
		}
		if ms, ok := load.Percentile(of.op.Response, of.percentile); ok {
			b.value(metric, ms, of.op.Response.TotalCount())
		}
	}
	kept := &lab.Record{}
	keep(kept, "handled/response", handled.Response)
	keep(kept, "publish/response", published.Response)
	keep(kept, "publish/service", published.Service)
	keep(kept, "publish/lateness", published.Lateness)
	b.told.Spectra = kept.Spectra
}
