package internal

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"sync"
	"testing"
	"time"

	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/ids"
)

const live = "/v1/tracking/" + orderID + "/events"

func TestAStreamShowsEveryChangeAndEndsWithTheOrder(t *testing.T) {
	k := open(t)
	k.publishAll(placed, made)
	k.awaitSequence(orderID, 2)
	s := k.follow(diner, live, "")
	if e := s.want("view", "2"); e.data["status"] != Pending || e.data["ticket"] == nil || e.data["delivery"] != nil {
		t.Errorf("the first view is %v", e.data)
	}
	k.publish(approved)
	s.want("view", "3")
	k.publish(droppedOff)
	s.want("view", "4")
	k.publish(delivered)
	if e := s.want("view", "5"); e.data["status"] != Delivered {
		t.Errorf("the last view is %v", e.data)
	}
	if e := s.want("end", ""); e.data["status"] != Delivered || e.data["order_id"] != orderID {
		t.Errorf("the end says %v", e.data)
	}
	s.wantEnd()

	again := k.follow(diner, live, "5") // as a browser would
	again.want("end", "")
	again.wantEnd()
	late := k.follow(diner, live, "")
	late.want("view", "5")
	late.want("end", "")
	late.wantEnd()
}

func TestAClientThatComesBackMissesAndRepeatsNothing(t *testing.T) {
	k := open(t)
	const n = 100
	k.publish(placed)
	k.awaitSequence(orderID, 1)
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for range n - 2 {
			k.publish(delayed)
		}
		k.awaitSequence(orderID, n-1) // of two sources, either may be heard first
		k.publish(delivered)
	})
	var clients sync.WaitGroup
	for patience := 1; patience <= 61; patience += 20 {
		clients.Go(func() {
			last := "1"
			for ended := false; !ended; {
				s := k.follow(diner, live, last)
				for range patience { // then the connection breaks
					e, open := s.next()
					if ended = !open || e.name == "end"; ended {
						break
					}
					if before, _ := strconv.Atoi(last); e.id != strconv.Itoa(before+1) {
						t.Errorf("after %s came %s", last, e.id)
						return
					}
					last = e.id
				}
				s.leave()
			}
			if last != strconv.Itoa(n) {
				t.Errorf("the stream ended at %s of %d", last, n)
			}
		})
	}
	publishing.Wait()
	clients.Wait()
}

func TestAClientThatTheLogDoesNotRememberGetsTheViewAsItIs(t *testing.T) {
	k := open(t)
	k.publishAll(placed, made, approved)
	k.awaitSequence(orderID, 3)
	k.clock.Advance(changesKept + time.Minute)
	k.publishAll(accepted, preparing)
	k.awaitSequence(orderID, 5)
	must(t, k.Prune(t.Context()))

	k.follow(diner, live, "3").want("view", "4") // what comes next is still there
	for _, last := range []string{"1", "6", "17", "-1", "nonsense"} {
		k.follow(diner, live, last).want("view", "5")
	}
	s := k.follow(diner, live, "5")
	k.publish(ready)
	s.want("view", "6")
}

func TestADrainEndsStreams(t *testing.T) {
	k := open(t)
	k.publish(placed)
	k.awaitSequence(orderID, 1)
	one, all := k.follow(diner, live, ""), k.follow(support, "/v1/tracking/events", "")
	one.want("view", "1")
	all.wantSequence(1)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	must(t, k.web.Drain(ctx))
	one.wantEnd()
	all.wantEnd()
	if n := len(k.watchers.byOrder); n != 0 {
		t.Errorf("%d orders are still watched", n)
	}
}

func TestADinerSeesTheCourierWhoBringsTheOrderAndNothingElse(t *testing.T) {
	k := open(t)
	other := ids.New()
	k.publishAll(placed, scheduled)
	k.awaitSequence(orderID, 2)
	s, all := k.follow(diner, live, ""), k.follow(support, "/v1/tracking/events", "")
	s.want("view", "2")
	all.wantSequence(2)

	k.move(courierID, 1, orderID) // not known to be its courier yet
	all.want("position", "")
	k.publish(assigned)
	s.want("view", "3")
	all.wantSequence(3)
	k.move("another", 2, orderID)
	all.want("position", "")
	k.move(courierID, 3, orderID, other)
	if e := s.want("position", ""); e.data["sequence"] != 3.0 || fmt.Sprint(e.data["order_ids"]) != "["+orderID+"]" ||
		fmt.Sprint(e.data["position"]) != "map[latitude:48 longitude:16]" || e.data["courier_id"] != courierID {
		t.Errorf("the diner sees %v", e.data)
	}
	if e := all.want("position", ""); len(e.data["order_ids"].([]any)) != 2 {
		t.Errorf("support sees %v", e.data)
	}
	k.move(courierID, 2, orderID) // overtaken
	k.move(courierID, 4, orderID)
	if e := s.want("position", ""); e.data["sequence"] != 4.0 {
		t.Errorf("the diner sees %v", e.data)
	}

	late := k.follow(diner, live, "3")
	if e := late.want("position", ""); e.data["sequence"] != 4.0 {
		t.Errorf("who comes later sees %v", e.data)
	}
	k.publish(droppedOff)
	s.want("view", "4")
	k.move(courierID, 5, orderID)
	k.publish(delivered)
	s.want("view", "5")
	s.want("end", "")
}

func TestACourierWhoLosesTheOrderLosesItsStream(t *testing.T) {
	k := open(t)
	k.publishAll(placed, assigned)
	k.awaitSequence(orderID, 2)
	s := k.follow(rider, live, "")
	s.want("view", "2")
	k.publish(unassigned)
	s.wantEnd()
	if a := k.get(rider, live); a.status != http.StatusNotFound {
		t.Errorf("a courier no more sees %d %s", a.status, a.raw)
	}
	k.publish(assigned)
	k.awaitSequence(orderID, 4)
	back := k.follow(rider, live, "2")
	back.want("view", "4")
	k.publish(pickedUp)
	back.want("view", "5")
}

// A log that was lost begins beyond what anybody has seen of it, however long it gets.
func TestAPositionInALogThatWasLostIsNotTakenForOneInTheNext(t *testing.T) {
	k := open(t)
	k.publish(placed)
	k.awaitSequence(orderID, 1)
	last := k.follow(support, "/v1/tracking/events", "").any().id
	k.end()

	k.clock.Advance(time.Minute)
	anew := openOn(t, databasetest.Open(t, "tracking"), newBooks())
	anew.clock.Advance(time.Minute)
	for range 50 {
		anew.publish(of(ids.New(), placed))
	}
	other := ids.New()
	anew.publish(of(other, placed))
	anew.awaitSequence(other, 1)
	s := anew.follow(support, "/v1/tracking/events", last)
	told := map[any]bool{}
	for len(told) < 51 {
		told[s.any().data["order_id"]] = true
	}
}

func TestTheStreamOfAllOrdersBeginsWithTheOpenOnesAndMissesNothing(t *testing.T) {
	k := open(t)
	const orders, each = 20, 10
	done := ids.New()
	k.publishAll(of(done, placed), of(done, rejected))
	k.awaitSequence(done, 2)
	all := make([]string, orders)
	for i := range all {
		all[i] = ids.New()
		k.publish(of(all[i], placed))
	}
	var publishing sync.WaitGroup
	publishing.Go(func() {
		for range each - 2 {
			for _, id := range all {
				k.publish(of(id, delayed))
			}
		}
		for _, id := range all {
			k.publish(of(id, delivered))
		}
	})
	var clients sync.WaitGroup
	for patience := 7; patience < 100; patience += 40 {
		clients.Go(func() {
			seen := map[string]float64{}
			complete := 0
			for last := ""; complete < orders; {
				s := k.follow(support, "/v1/tracking/events", last)
				for i := 0; (i < patience || last == "") && complete < orders; i++ {
					e, _ := s.next()
					id, sequence := e.data["order_id"].(string), e.data["sequence"].(float64)
					if id == done {
						t.Errorf("an order that has ended is among the open ones")
					}
					if before := seen[id]; before != 0 && sequence != before+1 {
						t.Errorf("after %v of %s came %v", before, id, sequence)
						return
					}
					if seen[id] = sequence; sequence == each {
						complete++
					}
					if e.id != "" {
						last = e.id
					}
				}
				s.leave()
			}
		})
	}
	publishing.Wait()
	clients.Wait()

	for _, last := range []string{"999999", "x"} {
		open := ids.New()
		k.publish(of(open, placed))
		k.awaitSequence(open, 1)
		if e, _ := k.follow(support, "/v1/tracking/events", last).next(); e.data["status"] != Pending {
			t.Errorf("who was not here before sees %v", e.data)
		}
	}
}

func TestTheLogIsBounded(t *testing.T) {
	k := open(t)
	const n = pruneStep + 500
	k.write(func(tx *database.Tx) error {
		for i := range n {
			if _, err := tx.Exec(insertChange, 0, orderID, i, database.Micros(k.clock.Wall()), []byte{}); err != nil {
				return err
			}
		}
		return nil
	})
	count := func() (first, rows int64) {
		must(t, k.db.QueryRow(t.Context(), `SELECT min(position), count(*) FROM view_change`).Scan(&first, &rows))
		return first, rows
	}
	k.clock.Advance(changesKept)
	must(t, k.Prune(t.Context()))
	if _, rows := count(); rows != n {
		t.Errorf("%d of %d changes are left after a day", rows, n)
	}
	k.clock.Advance(time.Microsecond)
	must(t, k.Prune(t.Context()))
	if first, rows := count(); rows != 1 || first != n {
		t.Errorf("%d changes are left, from position %d; only the newest should be, so that positions grow", rows, first)
	}
}

func TestTheLogIsBoundedUnderLoadToo(t *testing.T) {
	k := open(t)
	k.write(func(tx *database.Tx) error {
		for _, position := range []int{1, 2, 3, mostChanges + 2} {
			_, err := tx.Exec(`INSERT INTO view_change (position, order_id, sequence, changed_at, document) VALUES (?, ?, ?, ?, ?)`,
				position, orderID, position, database.Micros(k.clock.Wall()), []byte{})
			if err != nil {
				return err
			}
		}
		return nil
	})
	must(t, k.Prune(t.Context()))
	if first, _, err := logEnds(t.Context(), k.db); err != nil || first != 3 {
		t.Errorf("the log begins at %d, want 3 (%v)", first, err)
	}
}
