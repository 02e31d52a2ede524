package outbox_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/kerfpb"
	"kerf/platform/outbox"
)

// A call that fails may last as long as the bus's own patience, so a bus that is down must not be asked for every row.
func TestABusThatIsDownIsNotAskedForEveryRow(t *testing.T) {
	s, r := openShop(t), &recorder{refuse: func(bus.Meta) bool { return true }}
	var want []string
	for i := range 100 {
		subject := fmt.Sprintf("%02d", i)
		s.write(subject)
		want = append(want, subject+"-1")
	}
	s.relay(r, fast)
	r.awaitCalls(t, 4) // the batch, and three rows of it
	s.clock.Advance(time.Second)
	r.awaitCalls(t, 6) // the batch, and one row
	for range 20 {
		s.write("more")
	}
	if calls := r.called(); calls != 6 {
		t.Errorf("it was asked %d times", calls)
	}
	r.setRefuse(nil)
	s.clock.Advance(2 * time.Second) // when it is tried again; the keys that failed first would wait longer
	await(t, func() string {
		got := map[string]bool{}
		for _, event := range r.published() {
			got[event] = true
		}
		for _, event := range append(want, "more-20") {
			if !got[event] {
				return event + " is not published"
			}
		}
		return ""
	})
}

func TestABusThatSaysThatItIsDownIsAskedForOneRow(t *testing.T) {
	s, r := openShop(t), &recorder{refuse: func(bus.Meta) bool { return true }, why: fmt.Errorf("no answer: %w", bus.ErrUnavailable)}
	s.write("a", "b", "c")
	s.relay(r, fast)
	r.awaitCalls(t, 2) // the batch, and one row of it
	s.write("more")
	r.setRefuse(nil)
	s.clock.Advance(time.Second)
	r.await(t, "a-1", "b-1", "c-1", "more-1")
}

func (r *recorder) called() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.calls
}

func (r *recorder) awaitCalls(t *testing.T, want int) {
	t.Helper()
	await(t, func() string { return cmp.Diff(want, r.called()) })
}

// Rows come to the relay in two ways, in memory and from the table, and a row must not come in both.
func TestNoRowIsSentTwiceWhileTheTableIsSearched(t *testing.T) {
	s, r := openShop(t), &recorder{}
	s.relay(r, outbox.RelayConfig{Bus: "kafka", Poll: time.Millisecond, Mark: time.Millisecond})
	const writers, each = 8, 300
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			subject := fmt.Sprint("s", w)
			for range each {
				err := s.db.Write(t.Context(), func(ctx context.Context, tx *database.Tx) error {
					return s.Append(ctx, tx, subject, subject, &kerfpb.Money{Amount: 1})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	s.awaitCounts(outbox.Counts{Written: writers * each, Published: writers * each, Settled: writers * each})
	if got := r.published(); len(got) != writers*each {
		t.Errorf("%d events were sent %d times", writers*each, len(got))
	}
	if got := s.log(); len(got) != writers*each {
		t.Errorf("the log has %d of %d events", len(got), writers*each)
	}
}
