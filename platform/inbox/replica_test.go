package inbox_test

import (
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"

	"kerf/platform/bus"
	"kerf/platform/bus/memory"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
)

// newReplica is one of several processes of books. It has a bus of its own, on which a test plays what a member of the group is brought.
func newReplica(t *testing.T, books *database.DB) *world {
	t.Helper()
	w := &world{TB: t, clock: clock.NewManual(time.Now()), books: books, failing: map[string]error{}}
	w.bus = memory.New(memory.Config{Groups: map[string][]string{bus.Topic("shop"): {"books"}}})
	w.run("books", w.newListener(quick, slog.New(slog.DiscardHandler)))
	t.Cleanup(func() {
		if err := w.bus.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// bring publishes a message, which is done when the replica has acked it.
func (w *world) bring(done *sync.WaitGroup, msg *message.Message) {
	done.Add(1)
	err := w.bus.Publisher().(bus.Settler).PublishSettling(bus.Topic("shop"), func(*message.Message) { done.Done() }, msg)
	if err != nil {
		w.Error(err)
	}
}

// A replica that was stopped for a while has messages in hand that another one has had meanwhile, with those that follow. It goes on at
// any moment, also at the same time as the other.
func TestAReplicaThatComesBackWithOldMessagesDoesNothingTwice(t *testing.T) {
	a, b := databasetest.OpenTwo(t, "books", effectTable)
	replicas := []*world{newReplica(t, a), newReplica(t, b)}
	const subjects, each = 6, 50
	var bringing, handling sync.WaitGroup
	for _, w := range replicas {
		for s := range subjects {
			bringing.Go(func() {
				subject := fmt.Sprint("s", s)
				for sequence := 1; sequence <= each; sequence++ {
					w.bring(&handling, event(subject, int64(sequence)))
					if rand.IntN(8) == 0 { // its partition comes to it anew
						sequence -= rand.IntN(sequence)
					}
				}
			})
		}
	}
	bringing.Wait()
	handling.Wait()
	handled := map[string]int64{}
	var effects []string
	for s := range subjects {
		handled[fmt.Sprint("s", s)] = each
		for sequence := range each {
			effects = append(effects, fmt.Sprintf("s%d-%d", s, sequence+1))
		}
	}
	w := replicas[0]
	if diff := cmp.Diff(handled, sequences(t, w.books, `SELECT subject, handled FROM inbox`)); diff != "" {
		t.Error(diff)
	}
	var got []string
	for s := range subjects {
		got = append(got, w.effects(fmt.Sprint("s", s))...)
	}
	if diff := cmp.Diff(effects, got); diff != "" {
		t.Error(diff)
	}
	if list := w.parked(); len(list) > 0 {
		t.Errorf("parked: %+v", list)
	}
}
