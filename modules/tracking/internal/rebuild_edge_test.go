package internal

import (
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"kerf/platform/database/databasetest"
	"kerf/platform/ids"
)

func TestTheOldViewsAreServedAndFollowUntilTheNewOnesAreThere(t *testing.T) {
	k := open(t)
	k.publishAll(placed, made, approved)
	k.awaitSequence(orderID, 3)
	k.spoil()
	hold := make(chan struct{})
	k.begun(1, hold)
	k.publish(accepted)
	if v := k.awaitSequence(orderID, 4); v.GetReason() != "" || v.GetStatus() != Accepted {
		t.Errorf("the old view is %v", v)
	}
	a := k.get(diner, "/v1/tracking/"+orderID)
	if a.status != http.StatusOK || a.body["behind_milliseconds"] != 0.0 {
		t.Errorf("during a rebuild: %d %s", a.status, a.raw)
	}
	if missing := k.get(diner, "/v1/tracking/"+ids.New()); missing.status != http.StatusNotFound {
		t.Errorf("an order that is not: %d %s", missing.status, missing.raw)
	}
	running := k.get(admin, rebuildPath)
	if running.body["state"] != "RUNNING" || running.body["phase"] != "reading" || running.body["ended_at"] != nil {
		t.Errorf("the rebuild is told as %s", running.raw)
	}
	close(hold)
	k.rebuilt()
	k.wantFold(true)
}

// What a fold got wrong is mended for whoever looks at it, and nobody misses what happens meanwhile.
func TestStreamsGoOnThroughARebuild(t *testing.T) {
	k := open(t)
	other := ids.New()
	k.publishAll(placed, made, approved, of(other, placed))
	k.awaitSequence(orderID, 3)
	k.awaitSequence(other, 1)
	s, all := k.follow(diner, live, ""), k.follow(support, "/v1/tracking/events", "")
	s.want("view", "3")
	for range 2 {
		if e, _ := all.next(); e.name != "view" {
			t.Fatalf("the stream of all begins with %v", e)
		}
	}
	k.spoilOne(orderID)
	k.rebuild()
	if e := s.want("view", "4"); e.data["reason"] != nil {
		t.Errorf("the view that was mended is %v", e.data)
	}
	if e, _ := all.next(); e.data["order_id"] != orderID || e.data["sequence"] != 4.0 {
		t.Errorf("the stream of all orders tells of %v", e.data)
	}
	k.rebuilt()
	k.publish(accepted)
	s.want("view", "5")
	if e, _ := all.next(); e.data["order_id"] != orderID || e.data["sequence"] != 5.0 {
		t.Errorf("the stream of all orders tells of %v: what was right was told again", e.data)
	}
	back := k.follow(diner, live, "3")
	back.want("view", "4")
	back.want("view", "5")
}

// A client sees every number once, though views are replaced under it again and again.
func TestNoChangeIsSkippedWhileViewsAreRebuilt(t *testing.T) {
	k := open(t)
	k.publish(placed)
	k.awaitSequence(orderID, 1)
	s := k.follow(diner, live, "")
	over := make(chan struct{})
	var working sync.WaitGroup
	working.Go(func() {
		for range 150 {
			k.publish(delayed)
		}
		close(over)
	})
	working.Go(func() {
		for {
			select {
			case <-over:
				return
			default:
				k.rebuild()
				k.rebuilt()
			}
		}
	})
	for n := 1; n <= 151; n++ {
		s.want("view", fmt.Sprint(n))
	}
	working.Wait()
}

func TestASchemaThatIsYoungerThanItsOrdersIsBuilt(t *testing.T) {
	b := newBooks()
	before := openOn(t, databasetest.Open(t, "tracking"), b)
	before.live(8)
	before.publish(placed)
	before.awaitAll()
	before.end()

	hold := make(chan struct{})
	b.interfere(func(source Source, read int) error {
		if source == Kitchen {
			<-hold
		}
		return nil
	})
	k := openOn(t, databasetest.Open(t, "tracking"), b)
	await(t, "the rebuild is told", func() bool { return k.get(admin, rebuildPath).body["cause"] == causeEmpty })
	k.clock.Advance(time.Minute)
	all := k.follow(support, "/v1/tracking/events", "")
	a := k.get(diner, "/v1/tracking/"+orderID)
	if a.status != http.StatusServiceUnavailable || a.body["code"] != "rebuilding" || a.header.Get("Retry-After") == "" {
		t.Errorf("a view that is not built yet: %d %s", a.status, a.raw)
	}
	behind, err := k.behind(t.Context())
	must(t, err)
	if behind != time.Minute {
		t.Errorf("behind by %v while nothing is built since a minute", behind)
	}
	young := ids.New()
	k.publish(of(young, placed)) // lives beside it
	k.awaitSequence(young, 1)
	close(hold)
	k.rebuilt()
	k.wantFold(false)
	if behind, err := k.behind(t.Context()); err != nil || behind != 0 {
		t.Errorf("behind by %v in the end (%v)", behind, err)
	}
	told := map[any]bool{}
	for !told[orderID] {
		e, open := all.next()
		if !open {
			t.Fatal("the stream of all orders ended")
		}
		told[e.data["order_id"]] = true
	}
	if len(told) != 2 {
		t.Errorf("the stream of all orders told of %d orders, want the two that are open", len(told))
	}
}

func TestARebuildIsAskedForByAdministratorsOnceAtATime(t *testing.T) {
	k := open(t)
	k.publish(placed)
	k.awaitSequence(orderID, 1)
	if a := k.get(admin, rebuildPath); a.status != http.StatusNotFound {
		t.Errorf("the rebuild that never was: %d %s", a.status, a.raw)
	}
	for token, want := range map[string]int{"": 401, diner: 403, support: 403} {
		if a := k.post(token, rebuildPath, ids.New()); a.status != want {
			t.Errorf("%q asks for a rebuild: %d %s, want %d", token, a.status, a.raw, want)
		}
	}
	hold := make(chan struct{})
	k.books.interfere(func(Source, int) error { <-hold; return nil })
	key := ids.New()
	first := k.post(admin, rebuildPath, key)
	if first.status != http.StatusAccepted || first.header.Get("Location") != rebuildPath {
		t.Fatalf("a rebuild is not begun: %d %s", first.status, first.raw)
	}
	if again := k.post(admin, rebuildPath, key); again.raw != first.raw || again.header.Get("Idempotency-Replayed") == "" {
		t.Errorf("the same request again gets %d %s", again.status, again.raw)
	}
	if second := k.rebuild(); second.status != http.StatusConflict || second.body["code"] != "rebuild_running" {
		t.Errorf("a second rebuild: %d %s", second.status, second.raw)
	}
	close(hold)
	done := k.rebuilt()
	if done.body["id"] != first.body["id"] || done.body["served_at"] == nil || done.body["ended_at"] == nil {
		t.Errorf("in the end it is %s", done.raw)
	}
	if a := k.get(support, rebuildPath); a.status != http.StatusOK || strings.Contains(a.raw, `"rebuild"`) {
		t.Errorf("support sees %d %s", a.status, a.raw)
	}
	if a := k.get(diner, rebuildPath); a.status != http.StatusForbidden {
		t.Errorf("a diner sees %d %s", a.status, a.raw)
	}
}
