package outbox_test

import (
	"context"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"kerf/platform/bus"
	"kerf/platform/bus/memory"
	"kerf/platform/database"
	"kerf/platform/outbox"
)

// on is how a relay publishes on the bus of that name.
func on(driver string) outbox.RelayConfig {
	return outbox.RelayConfig{Bus: driver, Poll: 5 * time.Millisecond, Mark: time.Millisecond}
}

func TestAnotherBusGetsAgainWhatTheLastOneStores(t *testing.T) {
	s := openShop(t)
	kafka, amqp, again := &recorder{}, &recorder{}, &recorder{}
	stop := s.relay(kafka, on("kafka"))
	s.write("a", "b", "a")
	s.awaitCounts(outbox.Counts{Written: 3, Published: 3, Settled: 3})
	stop()

	s.write("a") // while nobody publishes
	stop = s.relay(amqp, on("amqp"))
	s.write("b")
	amqp.await(t, "a-1", "b-1", "a-2", "a-3", "b-2")
	s.awaitCounts(outbox.Counts{Written: 5, Published: 5, Settled: 5})
	stop()

	stop = s.relay(again, on("amqp"))
	s.write("b")
	again.await(t, "b-3")
	stop()
	if got := again.published(); len(got) != 1 {
		t.Errorf("the same bus got again: %v", got)
	}
	if diff := cmp.Diff([]string{"a-1", "a-2", "a-3", "b-1", "b-2", "b-3"}, s.log()); diff != "" {
		t.Errorf("the log: %s", diff)
	}
}

func TestAnotherBusDoesNotGetWhatEveryGroupHasAcked(t *testing.T) {
	s := openShop(t)
	stop := s.relay(s.memoryBus(2), on("memory"))
	s.write("a", "a", "a", "a")
	s.awaitCounts(outbox.Counts{Written: 4, Published: 4, Settled: 2})
	stop()

	kafka := &recorder{}
	stop = s.relay(kafka, on("kafka"))
	s.write("a")
	kafka.await(t, "a-3", "a-4", "a-5")
	s.awaitCounts(outbox.Counts{Written: 5, Published: 5, Settled: 5})
	stop()

	stop = s.relay(s.memoryBus(3), on("memory")) // where nothing of it is known to be consumed
	s.awaitCounts(outbox.Counts{Written: 5, Published: 5, Settled: 5})
	stop()
	last := &recorder{}
	s.relay(last, on("kafka"))
	s.write("a")
	last.await(t, "a-6")
}

// memoryBus returns the publisher of a bus in memory with one group, which acks that many messages and leaves the rest.
func (s *shop) memoryBus(acks int) message.Publisher {
	s.Helper()
	b := memory.New(memory.Config{Groups: map[string][]string{bus.Topic("shop"): {"listener"}}})
	s.Cleanup(func() {
		if err := b.Close(); err != nil {
			s.Error(err)
		}
	})
	sub, err := b.Subscriber("listener")
	if err != nil {
		s.Fatal(err)
	}
	messages, err := sub.Subscribe(context.Background(), bus.Topic("shop"))
	if err != nil {
		s.Fatal(err)
	}
	go func() {
		for msg := range messages {
			if acks--; acks >= 0 {
				msg.Ack()
			}
		}
	}()
	return b.Publisher()
}

// The process may end after some rows were opened again and before the new bus was recorded.
func TestAnInterruptedChangeOfTheBusBeginsAnew(t *testing.T) {
	for _, next := range []string{"kafka", "amqp"} {
		t.Run("then "+next, func(t *testing.T) {
			s := openShop(t)
			stop := s.relay(&recorder{}, on("kafka"))
			s.write("a", "b", "a", "b")
			s.awaitCounts(outbox.Counts{Written: 4, Published: 4, Settled: 4})
			stop()
			s.exec(`UPDATE outbox SET settled = 0 WHERE number <= (SELECT min(number) + 1 FROM outbox)`)

			r := &recorder{}
			s.relay(r, on(next))
			s.write("a")
			want := []string{"a-1", "b-1", "a-3"} // what the old bus stores and was not opened, it still stores
			if next == "amqp" {
				want = []string{"a-1", "b-1", "a-2", "b-2", "a-3"}
			}
			r.await(t, want...)
			s.awaitCounts(outbox.Counts{Written: 5, Published: 5, Settled: 5})
		})
	}
}

// Nothing newer of a key overtakes what is sent again, though the bus refuses it at first.
func TestWhatIsSentAgainComesBeforeWhatIsNewer(t *testing.T) {
	s := openShop(t)
	stop := s.relay(&recorder{}, on("kafka"))
	s.write("a", "a", "b")
	s.awaitCounts(outbox.Counts{Written: 3, Published: 3, Settled: 3})
	stop()
	r := &recorder{refuse: func(m bus.Meta) bool { return m.Subject == "a" && m.Sequence == 1 }}
	s.relay(r, on("amqp"))
	r.await(t, "b-1")
	s.write("a", "b")
	r.await(t, "b-1", "b-2")
	r.setRefuse(nil)
	s.clock.Advance(time.Hour)
	r.await(t, "b-1", "b-2", "a-1", "a-2", "a-3")
}

func (s *shop) exec(statement string) {
	s.Helper()
	err := s.db.Write(s.Context(), func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec(statement)
		return err
	})
	if err != nil {
		s.Fatal(err)
	}
}
