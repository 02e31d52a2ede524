package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"kerf/migrations"
	"kerf/platform/bus"
	"kerf/platform/bus/memory"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/kerfpb"
	"kerf/platform/outbox"
)

// shop is a module with an outbox.
type shop struct {
	*testing.T
	db    *database.DB
	clock *clock.Manual
	*outbox.Outbox
}

func openShop(t *testing.T) *shop { return openShopIn(t, t.TempDir()) }

func openShopIn(t *testing.T, dir string) *shop {
	db := databasetest.OpenIn(t, dir, "shop", migrations.FS)
	clk := clock.NewManual(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))
	return &shop{T: t, db: db, clock: clk, Outbox: outbox.New(db, "shop", clk)}
}

// write appends an event for each subject, in one command; the subject is the key too.
func (s *shop) write(subjects ...string) {
	s.Helper()
	err := s.db.Write(s.Context(), func(ctx context.Context, tx *database.Tx) error {
		for _, subject := range subjects {
			if err := s.Append(ctx, tx, subject, subject, &kerfpb.Money{Amount: 1, Currency: "EUR"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		s.Fatal(err)
	}
}

// relay runs a relay until the test ends or the returned function is called.
func (s *shop) relay(publisher message.Publisher, cfg outbox.RelayConfig) (stop func()) {
	s.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	r := outbox.NewRelay(s.Outbox, publisher, cfg, slog.New(slog.DiscardHandler), nil)
	go func() {
		defer close(ended)
		if err := r.Run(ctx); err != nil {
			s.Error(err)
		}
	}()
	stop = func() {
		cancel()
		<-ended
	}
	s.Cleanup(stop)
	return stop
}

var fast = outbox.RelayConfig{Poll: 5 * time.Millisecond, Mark: time.Millisecond}

func (s *shop) counts() outbox.Counts {
	s.Helper()
	counts, err := s.Counts(s.Context())
	if err != nil {
		s.Fatal(err)
	}
	return counts
}

func (s *shop) awaitCounts(want outbox.Counts) {
	s.Helper()
	await(s.T, func() string { return cmp.Diff(want, s.counts()) })
}

// await polls until there is no difference.
func await(t *testing.T, difference func() string) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for {
		diff := difference()
		if diff == "" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline.C:
			t.Fatalf("still: %s", diff)
		}
	}
}

// recorder is a bus that stores messages: publishing is all that it takes. Messages for which refuse returns true are refused.
type recorder struct {
	mu     sync.Mutex
	refuse func(bus.Meta) bool
	why    error    // of a refusal; one of the message's own if nil
	got    []string // subject-sequence, in order
	metas  []bus.Meta
	calls  int
}

func (r *recorder) Publish(topic string, messages ...*message.Message) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.calls++
	var metas []bus.Meta
	for _, msg := range messages {
		meta, err := bus.MetaOf(msg)
		if err != nil {
			return err
		}
		if r.refuse != nil && r.refuse(meta) {
			if r.why != nil {
				return r.why
			}
			return errors.New("refused")
		}
		metas = append(metas, meta)
	}
	for _, meta := range metas {
		r.got = append(r.got, fmt.Sprintf("%s-%d", meta.Subject, meta.Sequence))
	}
	r.metas = append(r.metas, metas...)
	return nil
}

func (r *recorder) Close() error { return nil }

func (r *recorder) published() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.got)
}

func (r *recorder) setRefuse(refuse func(bus.Meta) bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.refuse = refuse
}

func (r *recorder) await(t *testing.T, want ...string) {
	t.Helper()
	await(t, func() string { return cmp.Diff(want, r.published()) })
}

func TestEventsArePublishedAfterTheCommitInOrderAndWithoutGaps(t *testing.T) {
	s, r := openShop(t), &recorder{}
	s.relay(r, fast)
	s.write("a", "b", "a")
	undone := errors.New("undone")
	err := s.db.Write(t.Context(), func(ctx context.Context, tx *database.Tx) error {
		if err := s.Append(ctx, tx, "a", "a", &kerfpb.Money{}); err != nil {
			return err
		}
		return undone
	})
	if !errors.Is(err, undone) {
		t.Fatal(err)
	}
	err = s.db.Write(t.Context(), func(ctx context.Context, tx *database.Tx) error {
		err := tx.Savepoint(func() error {
			if err := s.Append(ctx, tx, "b", "b", &kerfpb.Money{}); err != nil {
				return err
			}
			return undone
		})
		if !errors.Is(err, undone) {
			return err
		}
		return s.Append(ctx, tx, "b", "b", &kerfpb.Money{})
	})
	if err != nil {
		t.Fatal(err)
	}
	s.write("a")
	r.await(t, "a-1", "b-1", "a-2", "b-2", "a-3")
	s.awaitCounts(outbox.Counts{Written: 5, Published: 5, Settled: 5})
}

func TestAnEventWithoutKeyOrSubjectIsRefused(t *testing.T) {
	s := openShop(t)
	for _, names := range [][2]string{{"", "a"}, {"a", ""}} {
		err := s.db.Write(t.Context(), func(ctx context.Context, tx *database.Tx) error {
			return s.Append(ctx, tx, names[0], names[1], &kerfpb.Money{})
		})
		if err == nil {
			t.Errorf("key %q, subject %q was taken", names[0], names[1])
		}
	}
	if diff := cmp.Diff(outbox.Counts{}, s.counts()); diff != "" {
		t.Error(diff)
	}
}

func TestAnEventCarriesItsAttributes(t *testing.T) {
	s, r := openShop(t), &recorder{}
	traceParent := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx := bus.WithTraceParent(bus.WithCause(t.Context(), bus.Meta{ID: "cause", CorrelationID: "request"}), traceParent)
	err := s.db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		return s.Append(ctx, tx, "order-1", "ticket-1", &kerfpb.Money{Amount: 5})
	})
	if err != nil {
		t.Fatal(err)
	}
	s.write("alone")
	s.relay(r, outbox.RelayConfig{Format: bus.JSON, Mark: time.Millisecond})
	r.await(t, "ticket-1-1", "alone-1")
	want := bus.Meta{
		ID: r.metas[0].ID, Type: "kerf.Money", Source: "shop", Subject: "ticket-1", Key: "order-1", Sequence: 1, Time: s.clock.Now(),
		CorrelationID: "request", CausationID: "cause", TraceParent: traceParent, ContentType: "application/json", SchemaVersion: 1,
	}
	if diff := cmp.Diff(want, r.metas[0]); diff != "" {
		t.Error(diff)
	}
	if m := r.metas[1]; m.CorrelationID != m.ID || m.CausationID != "" {
		t.Errorf("an event without a cause has correlation %q and causation %q", m.CorrelationID, m.CausationID)
	}
}

func TestARowThatFailsStopsItsKeyAndNoOther(t *testing.T) {
	s, r := openShop(t), &recorder{refuse: func(m bus.Meta) bool { return m.Subject == "bad" && m.Sequence == 1 }}
	s.relay(r, fast)
	s.write("good", "bad", "good", "bad")
	r.await(t, "good-1", "good-2")
	s.write("bad", "good")
	r.await(t, "good-1", "good-2", "good-3")
	s.awaitCounts(outbox.Counts{Written: 6, Published: 3, Settled: 3})
	r.setRefuse(nil)
	s.clock.Advance(time.Hour)
	r.await(t, "good-1", "good-2", "good-3", "bad-1", "bad-2", "bad-3")
	s.awaitCounts(outbox.Counts{Written: 6, Published: 6, Settled: 6})
}

// A key may go on once its time is over, but only with the row that failed, which the next search of the table finds.
func TestALaterRowDoesNotOvertakeOneThatFailed(t *testing.T) {
	s, r := openShop(t), &recorder{refuse: func(m bus.Meta) bool { return m.Subject == "bad" }}
	s.relay(r, outbox.RelayConfig{Poll: 300 * time.Millisecond})
	s.write("bad", "good")
	r.await(t, "good-1")
	r.setRefuse(nil)
	s.clock.Advance(time.Hour)
	s.write("bad", "good")
	await(t, func() string {
		got := slices.DeleteFunc(r.published(), func(event string) bool { return event[0] == 'g' })
		return cmp.Diff([]string{"bad-1", "bad-2"}, got)
	})
}

func TestABusThatIsDownLosesNothing(t *testing.T) {
	s, r := openShop(t), &recorder{refuse: func(bus.Meta) bool { return true }}
	s.relay(r, fast)
	s.write("a", "b", "a")
	await(t, func() string {
		s.clock.Advance(time.Second)
		r.mu.Lock()
		defer r.mu.Unlock()
		if r.calls < 10 {
			return "the relay has not tried often"
		}
		return ""
	})
	r.setRefuse(nil)
	await(t, func() string {
		s.clock.Advance(time.Minute)
		got := r.published()
		slices.Sort(got)
		return cmp.Diff([]string{"a-1", "a-2", "b-1"}, got)
	})
}

func TestRowsBeyondMemoryAreReadFromTheTable(t *testing.T) {
	s, r := openShop(t), &recorder{}
	const n = 5000
	var want []string
	for i := 0; i < n; i += 100 {
		subjects := make([]string, 100)
		for j := range subjects {
			subjects[j] = "a"
			want = append(want, fmt.Sprintf("a-%d", i+j+1))
		}
		s.write(subjects...)
	}
	s.relay(r, fast)
	r.await(t, want...)
	if r.calls > n/100 {
		t.Errorf("%d events took %d calls", n, r.calls)
	}
}

func TestWithASettlingBusARowIsDoneWhenAllGroupsHaveAckedIt(t *testing.T) {
	dir := t.TempDir()
	databasetest.Config(t, dir, "shop") // which outlives the first
	var settled string
	t.Run("first process", func(t *testing.T) {
		s := openShopIn(t, dir)
		messages := s.overMemory(fast)
		s.write("a", "a")
		first := next(t, messages)
		settled = first.UUID
		first.Ack()
		s.write("b")
		s.awaitCounts(outbox.Counts{Written: 3, Published: 3, Settled: 1})
	})
	t.Run("next process", func(t *testing.T) {
		s := openShopIn(t, dir)
		messages := s.overMemory(fast)
		s.write("a")
		last := map[string]int64{}
		for range 3 {
			msg := next(t, messages)
			if msg.UUID == settled {
				t.Error("what was settled came again")
			}
			meta, err := bus.MetaOf(msg)
			if err != nil {
				t.Fatal(err)
			}
			if meta.Sequence < last[meta.Subject] {
				t.Errorf("%s-%d came after %d", meta.Subject, meta.Sequence, last[meta.Subject])
			}
			last[meta.Subject] = meta.Sequence
			msg.Ack()
		}
		if diff := cmp.Diff(map[string]int64{"a": 3, "b": 1}, last); diff != "" {
			t.Error(diff)
		}
		s.awaitCounts(outbox.Counts{Written: 4, Published: 4, Settled: 4})
	})
}

func next(t *testing.T, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg := <-messages:
		return msg
	case <-time.After(10 * time.Second):
		t.Fatal("no message came")
	}
	return nil
}

// overMemory runs a relay on a memory bus with one group, and returns what that hears.
func (s *shop) overMemory(cfg outbox.RelayConfig) <-chan *message.Message {
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
	s.relay(b.Publisher(), cfg)
	return messages
}

// log returns the names of the events in the log, sorted.
func (s *shop) log() (events []string) {
	s.Helper()
	for _, e := range s.entries(3) {
		events = append(events, fmt.Sprintf("%s-%d", e.Meta.Subject, e.Meta.Sequence))
	}
	slices.Sort(events)
	return events
}

// entries reads the whole log, a few entries at a time, and checks that positions have no gap.
func (s *shop) entries(page int) (all []outbox.Entry) {
	s.Helper()
	for partition := range outbox.Partitions {
		after := int64(0)
		for {
			entries, err := s.ReadLog(s.Context(), partition, after, page)
			if err != nil {
				s.Fatal(err)
			}
			for _, e := range entries {
				if e.Position != after+1 {
					s.Errorf("partition %d: position %d after %d", partition, e.Position, after)
				}
				after = e.Position
			}
			all = append(all, entries...)
			if len(entries) < page {
				break
			}
		}
	}
	return all
}

func TestTheLogHoldsPublishedEventsOnly(t *testing.T) {
	s, r := openShop(t), &recorder{refuse: func(m bus.Meta) bool { return m.Subject == "d" }}
	s.relay(r, fast)
	s.write("a", "b", "c", "d", "a", "a", "a", "a")
	s.awaitCounts(outbox.Counts{Written: 8, Published: 7, Settled: 7})
	if diff := cmp.Diff([]string{"a-1", "a-2", "a-3", "a-4", "a-5", "b-1", "c-1"}, s.log()); diff != "" {
		t.Error(diff)
	}
}

func TestOldRowsAreDeletedAndCountsStay(t *testing.T) {
	s := openShop(t)
	stop := s.relay(&recorder{}, fast)
	s.write("a", "b", "a", "a")
	s.awaitCounts(outbox.Counts{Written: 4, Published: 4, Settled: 4})
	stop()
	s.clock.Advance(31 * 24 * time.Hour)
	s.relay(&recorder{}, fast) // prunes when it starts
	s.write("a")
	await(t, func() string {
		var rows int
		if err := s.db.QueryRow(t.Context(), `SELECT count(*) FROM outbox`).Scan(&rows); err != nil {
			t.Fatal(err)
		}
		return cmp.Diff(3, rows) // the last of each partition, and the new one
	})
	s.awaitCounts(outbox.Counts{Written: 5, Published: 5, Settled: 5})
	entries, err := s.ReadLog(t.Context(), bus.Partition("a", outbox.Partitions), 3, 10)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) != 1 || entries[0].Position != 4 || entries[0].Meta.Sequence != 4 {
		t.Errorf("after the third position: %+v", entries)
	}
}
