package internal

import (
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kerf/platform/database/databasetest"
)

// openTwo is two processes on one schema, each of which hears events that the other does not.
func openTwo(t *testing.T) (one, other *tracker) {
	t.Helper()
	a, b := databasetest.OpenTwo(t, "tracking")
	books := newBooks()
	return openOn(t, a, books), openOn(t, b, books)
}

func TestAStreamShowsWhatAnotherProcessWrites(t *testing.T) {
	one, other := openTwo(t)
	other.publish(placed)
	one.awaitSequence(orderID, 1)
	s, all := one.follow(diner, live, ""), one.follow(support, "/v1/tracking/events", "")
	s.want("view", "1")
	all.wantSequence(1)
	var slowest time.Duration
	for n := 2; n <= 40; n++ {
		began := time.Now()
		other.publish(delayed)
		s.want("view", fmt.Sprint(n))
		slowest = max(slowest, time.Since(began))
		if e, _ := all.next(); e.data["sequence"] != float64(n) {
			t.Fatalf("the stream of all orders tells of %v", e.data)
		}
	}
	if slowest > 2*time.Second { // some milliseconds, but on a machine that does a lot else
		t.Errorf("a change was told after %v: it was not the notice that told it", slowest)
	}
	other.publish(delivered)
	s.want("view", "41")
	s.want("end", "")
}

func TestTheFirstViewIsWaitedForWhoeverWritesIt(t *testing.T) {
	one, other := openTwo(t)
	order := one.newOrder(0)
	answered := one.asks(t.Context(), diner, "/v1/tracking/"+order)
	one.awaitWaiting(order, 1)
	other.publish(of(order, placed))
	if got := answered(); !slices.Equal(got, []int{http.StatusOK}) {
		t.Errorf("answered %v", got)
	}
}

// Both processes fold while one rebuilds; it ends in the middle, and the other goes on with it.
func TestAnotherProcessTakesARebuildOver(t *testing.T) {
	one, other := openTwo(t)
	one.live(20)
	one.awaitAll()
	one.spoil()
	var read atomic.Int32
	one.books.interfere(func(Source, int) error {
		if read.Add(1) > 30 {
			return errors.New("the log is away")
		}
		return nil
	})
	if a := other.rebuild(); a.status != http.StatusAccepted { // by the one that does not have the job
		t.Fatalf("a rebuild is not begun: %d %s", a.status, a.raw)
	}
	await(t, "the rebuild waits", func() bool { return other.get(admin, rebuildPath).body["problem"] != nil })
	var publishing sync.WaitGroup
	publishing.Go(func() { other.live(20) })
	one.end()
	one.books.interfere(nil)
	other.rebuilt()
	publishing.Wait()
	other.awaitAll()
	other.wantFold(true)
}
