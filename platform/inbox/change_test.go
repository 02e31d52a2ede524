package inbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	kafkago "github.com/segmentio/kafka-go"

	"kerf/cmd/topology/kfake"
	"kerf/platform/bus"
)

// A schema in use changes its bus, and the format on it, again and again, each time because the process was killed at any moment, with
// events that are not published and events that are not consumed on either bus.
func TestAChangeOfTheBusLosesNothing(t *testing.T) {
	s := newShape(t, fmt.Sprintf("shop%08x", rand.Uint32())) // its topic is its own, also on a broker that others use
	s.Broker = broker(t, bus.Topic(s.Shop))
	s.Pace = 4 * time.Millisecond
	on := func(driver string, format bus.Format) shape {
		s := s
		s.Driver, s.Format = driver, format
		return s
	}
	memory, protobuf, json := on("memory", bus.Protobuf), on("kafka", bus.Protobuf), on("kafka", bus.JSON)

	acknowledged := map[string]int64{}
	for _, s := range []shape{memory, protobuf, memory, json, protobuf, memory, json} {
		kill(t, s, acknowledged, after(1+rand.IntN(200), rand.IntN(3) > 0))
	}
	for _, s := range []shape{protobuf, json} {
		s.run(t, func(p *pair) { p.awaitConsumed(t) })
	}
	memory.run(t, func(p *pair) {
		total := p.awaitQuiet(t)
		p.check(t, acknowledged)
		t.Logf("%d events on nine buses in turn, all of them consumed once by each group", total)
	})
}

// broker returns the address of Apache Kafka, if there is one, else of kfake; the topic is gone when the test ends.
func broker(t *testing.T, topic string) string {
	t.Helper()
	if address := os.Getenv("KERF_TEST_KAFKA"); address != "" {
		t.Cleanup(func() {
			client := &kafkago.Client{Addr: kafkago.TCP(address)}
			if _, err := client.DeleteTopics(context.Background(), &kafkago.DeleteTopicsRequest{Topics: []string{topic}}); err != nil {
				t.Errorf("topic %s stays behind: %v", topic, err)
			}
		})
		return address
	}
	b, err := kfake.Start("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b.Address()
}

// run has a pair run while f does.
func (s shape) run(t *testing.T, f func(*pair)) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	p, err := openPair(ctx, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { // also if f gives up
		cancel()
		p.close(t)
	}()
	f(p)
}

// awaitConsumed waits until both groups have consumed all that was written.
func (p *pair) awaitConsumed(t *testing.T) {
	t.Helper()
	written := sequences(t, p.shop, `SELECT subject, sequence FROM outbox_subject`)
	for _, db := range p.listeners {
		(&world{TB: t}).await(func() string {
			if parked := sequences(t, db, `SELECT cause, count(*) FROM parked GROUP BY cause`); len(parked) > 0 {
				t.Fatalf("parked: %v", parked)
			}
			return cmp.Diff(written, sequences(t, db, `SELECT subject, handled FROM inbox`))
		})
	}
}
