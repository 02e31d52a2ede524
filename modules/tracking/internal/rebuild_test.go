package internal

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"

	"kerf/modules/tracking/trackingapi"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/identity"
	"kerf/platform/ids"
)

const admin = "admin+root"

// course is what happens to an order that is delivered.
var course = []proto.Message{placed, made, authorized, approved, accepted, scheduled, assigned, preparing, delayed, ready, atCounter, handedOver,
	pickedUp, captured, eta, atDoor, droppedOff, delivered, refunded}

// rebuild asks for a rebuild.
func (k *tracker) rebuild() answer {
	k.t.Helper()
	return k.post(admin, rebuildPath, ids.New())
}

func (k *tracker) post(token, path, key string) answer {
	k.t.Helper()
	req, err := http.NewRequestWithContext(k.t.Context(), http.MethodPost, k.url+path, http.NoBody)
	must(k.t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	req.Header.Set("Idempotency-Key", key)
	return k.do(req)
}

// rebuilt waits until the rebuild has ended, and returns what is told of it.
func (k *tracker) rebuilt() answer {
	k.t.Helper()
	var a answer
	await(k.t, "the end of the rebuild", func() bool {
		a = k.get(admin, rebuildPath)
		return a.body["state"] == "DONE"
	})
	return a
}

// begun asks for a rebuild and waits until it has read as many pages.
func (k *tracker) begun(pages int32, hold <-chan struct{}) {
	k.t.Helper()
	var read atomic.Int32
	k.books.interfere(func(Source, int) error {
		if read.Add(1) > pages {
			<-hold
		}
		return nil
	})
	if a := k.rebuild(); a.status != http.StatusAccepted {
		k.t.Fatalf("a rebuild is not begun: %d %s", a.status, a.raw)
	}
	await(k.t, "pages are read", func() bool { return read.Load() > pages })
}

// spoil has all views be wrong, as those are that a mistake has folded.
func (k *tracker) spoil() {
	k.t.Helper()
	k.write(func(tx *database.Tx) error {
		for order := range k.books.views() {
			stand, err := find(tx, order)
			if err != nil {
				return err
			}
			stand.shown.view.Reason = "a mistake"
			if _, err := stand.shown.write(tx); err != nil {
				return err
			}
		}
		return nil
	})
}

// wantFold compares every view with the fold of everything that was published. shifted says that sequences may be higher.
func (k *tracker) wantFold(shifted bool) {
	k.t.Helper()
	for order, want := range k.books.views() {
		got, err := read(k.t.Context(), k.db, order)
		must(k.t, err)
		if shifted && got.GetSequence() >= want.GetSequence() {
			want.Sequence = got.GetSequence()
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			k.t.Errorf("the view of %s is not the fold of its events (-fold +view):\n%s", order, diff)
		}
	}
	var generations, rows int
	must(k.t, k.db.QueryRow(k.t.Context(), `SELECT count(DISTINCT generation), count(*) FROM order_view`).Scan(&generations, &rows))
	if generations != 1 || rows != len(k.books.views()) {
		k.t.Errorf("%d views of %d generations are left, want %d of one", rows, generations, len(k.books.views()))
	}
}

// live publishes whole courses of orders, some at a time, each source at its own pace, and waits until all are heard.
func (k *tracker) live(orders int) {
	k.t.Helper()
	var publishing sync.WaitGroup
	for range 4 {
		publishing.Go(func() {
			for range orders / 4 {
				order := ids.New()
				for _, e := range course {
					k.publish(of(order, e))
				}
			}
		})
	}
	publishing.Wait()
}

func (k *tracker) awaitAll() {
	k.t.Helper()
	for order, want := range k.books.views() {
		await(k.t, "all events of "+order, func() bool {
			v, err := read(k.t.Context(), k.db, order)
			return err == nil && heard(v) == heard(want)
		})
	}
}

func TestARebuildUnderLoadGivesTheFoldOfAllEvents(t *testing.T) {
	k := open(t)
	k.live(40)
	k.awaitAll()
	k.spoil()
	var publishing sync.WaitGroup
	publishing.Go(func() { k.live(120) })
	for range 3 {
		if a := k.rebuild(); a.status != http.StatusAccepted {
			t.Fatalf("a rebuild is not begun: %d %s", a.status, a.raw)
		}
		k.rebuilt()
	}
	publishing.Wait()
	k.awaitAll()
	k.wantFold(true)
	k.rebuild()
	done := k.rebuilt()
	k.wantFold(true)
	if done.body["views_changed"] != 0.0 || done.body["sections_kept"] != 0.0 {
		t.Errorf("a rebuild of what is right says %v", done.body)
	}
	if got := done.body["modules"].(map[string]any)["delivery"].(map[string]any)["events"]; got != 160*7.0 {
		t.Errorf("of delivery's log were read %v events, want %d", got, 160*7)
	}
}

func (k *tracker) spoilOne(order string) {
	k.t.Helper()
	k.write(func(tx *database.Tx) error {
		stand, err := find(tx, order)
		if err != nil {
			return err
		}
		stand.shown.view.Reason = "a mistake"
		_, err = stand.shown.write(tx)
		return err
	})
}

func TestARebuildGoesOnWhereACrashLeftIt(t *testing.T) {
	db := databasetest.Open(t, "tracking")
	k := openOn(t, db, newBooks())
	k.live(60)
	k.awaitAll()
	k.spoil()
	k.end()
	k.write(func(tx *database.Tx) error {
		_, err := k.rebuilder.begin(tx, causeAsked)
		return err
	})
	crashes := 0
	for crashed := true; crashed; crashes++ {
		ctx, crash := context.WithCancel(t.Context())
		left := 13 * (crashes + 1) // so that it gets further each time, and through in the end
		k.books.interfere(func(Source, int) error {
			if left--; left == 0 {
				crash()
			}
			return ctx.Err()
		})
		r := newRebuilder(db, k.clock, k.books.logs(), func(string) {}, slog.New(slog.DiscardHandler))
		err := db.Exclusive(ctx, "views", func(ctx context.Context, fence *database.Fence) error {
			r.fence = fence
			return r.finish(identity.With(ctx, identity.Service("tracking")))
		})
		crashed = err != nil
		if crashed && !errors.Is(err, context.Canceled) && ctx.Err() == nil {
			t.Fatal(err)
		}
		crash()
	}
	if crashes < 5 {
		t.Errorf("the rebuild went through after %d crashes", crashes)
	}
	k.wantFold(true)
	repeated := 0
	for _, n := range k.books.returned {
		if n > 1 {
			repeated++
		}
	}
	if total := 60 * len(course); len(k.books.returned) != total || repeated > crashes*readPage {
		t.Errorf("of %d events %d were read, %d of them again, in %d crashes", total, len(k.books.returned), repeated, crashes)
	}
}

func TestALogThatCannotBeReadIsReadLater(t *testing.T) {
	k := open(t)
	k.live(4)
	k.awaitAll()
	k.spoil()
	var away atomic.Bool
	away.Store(true)
	k.books.interfere(func(source Source, _ int) error {
		if source == Delivery && away.Load() {
			return errors.New("delivery is away")
		}
		return nil
	})
	k.rebuild()
	await(t, "the problem is told", func() bool {
		a := k.get(admin, rebuildPath)
		problem, _ := a.body["problem"].(string)
		return strings.Contains(problem, "delivery is away") && a.body["state"] == "RUNNING"
	})
	away.Store(false)
	if a := k.rebuilt(); a.body["problem"] != nil {
		t.Errorf("in the end the problem is %v", a.body["problem"])
	}
	k.wantFold(true)
}

func TestWhatTheLogsHaveForgottenIsKept(t *testing.T) {
	k := open(t)
	half, gone := ids.New(), ids.New()
	for _, order := range []string{half, gone} {
		for _, e := range course {
			k.publish(of(order, e))
		}
	}
	k.awaitAll()
	whole := k.books.views()
	k.spoilOne(half)
	k.books.forget(Delivery, half, 3)
	k.books.forget(Orders, half, 1)
	for _, source := range sources {
		k.books.forget(source, gone, 100)
	}
	k.rebuild()
	a := k.rebuilt()
	for order, want := range whole {
		got, err := read(t.Context(), k.db, order)
		must(t, err)
		if order == half {
			want.Sequence++ // it was mended
		}
		if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
			t.Errorf("the view of %s is poorer for what its logs forgot (-before +after):\n%s", order, diff)
		}
	}
	if a.body["sections_kept"] != 6.0 || a.body["views_changed"] != 1.0 {
		t.Errorf("it is told as %s", a.raw)
	}
}

// patiently waits for the end of a rebuild, as long as it has patience with logs and listeners.
func (k *tracker) patiently() answer {
	k.t.Helper()
	await(k.t, "the rebuild merges", func() bool { return k.get(admin, rebuildPath).body["phase"] == string(Merging) })
	k.clock.Advance(patienceWithLogs + time.Second)
	return k.rebuilt()
}

// An event that was published and never came is in its module's log, and so in the views that are made from that.
func TestARebuildFindsWhatWasLostOnItsWay(t *testing.T) {
	k := open(t)
	k.publishAll(placed, made)
	k.awaitSequence(orderID, 2)
	k.books.write(written(accepted, orderID, k.books.next(Kitchen, orderID), k.clock.Now()))
	s := k.follow(diner, live, "")
	s.want("view", "2")
	k.rebuild()
	k.patiently()
	if e := s.want("view", "3"); e.data["status"] != Accepted {
		t.Errorf("the view that has what was lost is %v", e.data)
	}
	k.publish(approved)
	s.want("view", "4")
	k.wantFold(false)
}

// What was heard and is in no log, as after a module lost its data, is kept.
func TestARebuildKeepsWhatNoLogShows(t *testing.T) {
	k := open(t)
	k.publishAll(placed, made, accepted, preparing)
	want := k.awaitSequence(orderID, 4)
	k.books.lose(Kitchen, orderID, 2)
	k.rebuild()
	k.patiently()
	if diff := cmp.Diff(want, k.awaitSequence(orderID, 4), protocmp.Transform()); diff != "" {
		t.Errorf("the view is poorer for what the log lost (-before +after):\n%s", diff)
	}
}

// A view takes from another what a source told, and is then what it would be had it heard that itself.
func TestAnAdoptedSectionIsAsIfItHadBeenHeard(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		streams := randomLife(random)
		full := fold(interleave(random, streams))
		adopted := sources[random.IntN(len(sources))]
		v := &trackingapi.View{}
		for _, s := range sources {
			if s != adopted {
				for _, f := range streams[s] {
					Fold(v, f)
				}
			}
		}
		if sequenceOf(full, adopted) == 0 {
			continue
		}
		Adopt(v, full, adopted)
		v.Sequence = heard(v)
		if diff := cmp.Diff(full, v, protocmp.Transform()); diff != "" {
			t.Fatalf("seed %d: with %s adopted (-heard +adopted):\n%s", seed, adopted, diff)
		}
	}
}
