package internal

import (
	"context"
	"sync"
	"testing"
	"time"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/ids"
)

func TestARoundOffersToTheNearest(t *testing.T) {
	b := newBench(t)
	orderID := b.schedule(0)
	far, near := b.courier(at(9)), b.courier(at(2))
	if left := b.round(); left != 0 {
		t.Errorf("%d left", left)
	}
	b.wantCourier(near, Busy)
	b.wantCourier(far, Available)
	if d := b.delivery(orderID); d.State != Offered || d.CourierID != near || !d.OfferExpiresAt.Equal(noon.Add(5*time.Minute)) {
		t.Errorf("offered %+v", d)
	}
}

func TestARoundGoesByWhereCouriersAreNow(t *testing.T) {
	b := newBench(t)
	moved, still := b.courier(at(9)), b.courier(at(4))
	b.want(204, b.as(moved).report(moved, at(1), 1)) // known in memory only
	orderID := b.schedule(0)
	b.round()
	if d := b.delivery(orderID); d.CourierID != moved {
		t.Errorf("offered to %s, want %s rather than %s", d.CourierID, moved, still)
	}
	if c := b.row(moved); c.Position.Distance(at(1)) > 1 {
		t.Errorf("the offer did not write down where the courier is: %v", c.Position)
	}
}

func TestARoundLeavesFoodThatIsFarOff(t *testing.T) {
	b := newBench(t)
	orderID := b.schedule(30 * time.Minute)
	courierID := b.courier(at(5))
	if left := b.round(); left != 1 {
		t.Errorf("%d left", left)
	}
	b.wantCourier(courierID, Available)
	b.clock.Advance(15 * time.Minute)
	b.round()
	b.wantState(orderID, Offered)
}

func TestAnOfferLapsesOnTheDomainClock(t *testing.T) {
	b := newBench(t)
	b.run(b.queue.Run)
	orderID, courierID := b.reach(Offered)
	b.clock.Advance(5*time.Minute - time.Second)
	b.wantState(orderID, Offered)
	b.clock.Advance(time.Second)
	b.await("the offer to lapse", func() bool { return b.delivery(orderID).State == Unassigned })
	b.wantCourier(courierID, Available)
	if e, ok := b.published(orderID)[1].(*deliveryapi.CourierUnassigned); !ok || e.Reason != "timed_out" || e.CourierId != courierID {
		t.Errorf("published %s", b.names(orderID))
	}
	b.want(404, b.as(courierID).act(orderID, "acceptance", `{}`))
	if b.round() != 1 {
		t.Error("asked again at once")
	}
	if depth, err := b.queue.Depth(context.Background()); err != nil || depth.Waiting+depth.Due+depth.Claimed != 0 {
		t.Errorf("work is left: %+v, %v", depth, err)
	}
}

func TestAnAnsweredOfferDoesNotLapse(t *testing.T) {
	for _, answer := range []string{"acceptance", "decline"} {
		b := newBench(t)
		b.run(b.queue.Run)
		orderID, courierID := b.reach(Offered)
		b.want(200, b.as(courierID).act(orderID, answer, `{}`))
		if depth, err := b.queue.Depth(context.Background()); err != nil || depth.Waiting+depth.Due+depth.Claimed != 0 {
			t.Errorf("%s: work is left: %+v, %v", answer, depth, err)
		}
	}
}

func TestASecondOfferHasItsOwnTime(t *testing.T) {
	b := newBench(t)
	b.run(b.queue.Run)
	orderID, first := b.reach(Offered)
	b.clock.Advance(4 * time.Minute)
	b.want(200, b.as(first).act(orderID, "decline", `{}`))
	second := b.courier(at(3))
	b.round()
	b.clock.Advance(4 * time.Minute) // past the first offer's time
	b.want(200, b.as(second).act(orderID, "acceptance", `{}`))
}

func TestWithoutACourierInTimeTheDeliveryIsCancelled(t *testing.T) {
	b := newBench(t)
	orderID := b.schedule(20 * time.Minute)
	b.clock.Advance(80*time.Minute - time.Second)
	if left := b.round(); left != 1 {
		t.Errorf("gave up early: %d left", left)
	}
	b.clock.Advance(time.Second)
	if left := b.round(); left != 0 {
		t.Errorf("%d left", left)
	}
	b.wantState(orderID, Cancelled)
	events := b.published(orderID)
	last, ok := events[len(events)-1].(*deliveryapi.DeliveryCancelled)
	if !ok || last.Reason != "no_courier" || last.CourierId != "" {
		t.Errorf("published %v", events)
	}
	if err := b.cancel(orderID); err != nil {
		t.Errorf("the saga's cancel after it: %v", err)
	}
}

func TestAPromiseThatWasLongOverCountsFromTheRequest(t *testing.T) {
	b := newBench(t)
	orderID := b.schedule(-3 * time.Hour) // we were down meanwhile
	b.round()
	b.wantState(orderID, Unassigned)
}

func TestManyAtOnceAreDecidedInOneTransaction(t *testing.T) {
	b := newBench(t)
	var orders []string
	for range 20 {
		orders = append(orders, b.schedule(0))
	}
	for i := range 12 {
		b.courier(at(float64(i)))
	}
	if left := b.round(); left != 8 {
		t.Errorf("%d left, want 8", left)
	}
	if left := b.round(); left != 8 {
		t.Errorf("a second round changed that: %d left", left)
	}
	offered := map[string]bool{}
	for _, orderID := range orders {
		if d := b.delivery(orderID); d.State == Offered {
			offered[d.CourierID] = true
		}
	}
	if len(offered) != 12 {
		t.Errorf("offered to %d couriers, want 12", len(offered))
	}
	b.wantConsistent()
}

func TestRunDispatchesWhatComesAndWhatWaited(t *testing.T) {
	b := newBench(t)
	waited := b.schedule(0)
	first := b.courier(counter)
	b.run(b.Run)
	b.await("what waited before", func() bool { return b.delivery(waited).State == Offered })

	// The next round comes after the time to gather, then.
	later := b.schedule(0)
	second := b.courier(counter)
	b.await("what came", func() bool {
		b.clock.Advance(time.Second)
		return b.delivery(later).State == Offered
	})
	b.want(200, b.as(first).act(waited, "acceptance", `{}`))

	// An order that is given back is offered again, to a courier who comes later.
	b.want(200, b.as(second).act(later, "decline", `{}`))
	third := b.courier(counter)
	b.await("what was given back", func() bool {
		b.clock.Advance(time.Second)
		d := b.delivery(later)
		return d.State == Offered && d.CourierID == third
	})

	// While one waits, time alone brings rounds: this one's food is far off.
	early := b.schedule(30 * time.Minute)
	b.await("what was too early", func() bool {
		b.clock.Advance(time.Second)
		return b.delivery(early).State == Offered
	})
}

func TestConcurrentRoundsGiveNothingTwice(t *testing.T) {
	b := newBench(t)
	b.run(b.queue.Run)
	rush(b)
}

// rush has couriers deliver orders while rounds run without a pause, several at a time, in each of the processes that share a schema.
// Every request goes to another process.
func rush(processes ...*bench) {
	b := processes[0]
	b.t.Helper()
	const orders, couriers = 60, 25
	var crew []string
	for i := range couriers {
		crew = append(crew, b.courier(at(float64(i%7))))
	}
	for range orders {
		b.schedule(0)
	}
	stop := make(chan struct{})
	var rounds, apps sync.WaitGroup
	for i := range 4 {
		rounds.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if _, err := processes[i%len(processes)].Round(context.Background(), nil); err != nil {
					b.t.Error(err)
					return
				}
			}
		})
	}
	for i, courierID := range crew {
		apps.Go(func() { commute(processes, i, courierID) })
	}
	apps.Wait()
	close(stop)
	rounds.Wait()
	b.wantConsistent()
	if b.wantNobodyTwice() == 0 {
		b.t.Error("nothing was delivered, so nothing was tried")
	}
}

// commute has a courier answer what it is offered, six times if there is as much: it takes it to the door, declines it, or leaves and comes
// back.
func commute(processes []*bench, i int, courierID string) {
	b := processes[0]
	answered := 0
	for turn := 0; turn < 12 || answered == 0 && turn < 1000; turn++ {
		app := processes[turn%len(processes)].as(courierID)
		got := app.get("/v1/couriers/" + courierID)
		orderID, _ := got.field("delivery.order_id").(string)
		if orderID == "" {
			continue
		}
		answered++
		switch (i + answered) % 4 {
		case 0:
			app.act(orderID, "decline", `{}`)
		case 1:
			app.post("/v1/couriers/"+courierID+"/shift-end", `{}`)
			app.post("/v1/couriers/"+courierID+"/shift", positionJSON(at(float64(i))))
		default:
			for step, to := range [][2]string{
				{"acceptance", `{}`}, {"arrival-at-pickup", `{}`}, {"pickup", `{"code":"1234"}`}, {"arrival-at-dropoff", `{}`},
				{"dropoff", `{"pin":"9876"}`},
			} {
				app = processes[(turn+step)%len(processes)].as(courierID)
				if r := app.act(orderID, to[0], to[1]); r.status != 200 {
					b.t.Errorf("%s: %d %s", to[0], r.status, r.body)
					return
				}
			}
		}
	}
}

// wantNobodyTwice replays all events in the order of their commits: no courier is assigned an order while it has another, no order
// is assigned while somebody has it, and none is delivered twice.
func (b *bench) wantNobodyTwice() (delivered int) {
	b.t.Helper()
	has, hasIt, done := map[string]string{}, map[string]string{}, map[string]bool{}
	for _, event := range b.query(`SELECT type, data FROM outbox ORDER BY number`) {
		switch e := event.(type) {
		case *deliveryapi.CourierAssigned:
			if has[e.CourierId] != "" || hasIt[e.OrderId] != "" || done[e.OrderId] {
				b.t.Errorf("courier %s, who has %q, was assigned %s, which %q has", e.CourierId, has[e.CourierId], e.OrderId, hasIt[e.OrderId])
			}
			has[e.CourierId], hasIt[e.OrderId] = e.OrderId, e.CourierId
		case *deliveryapi.CourierUnassigned:
			if hasIt[e.OrderId] != "" { // not only offered
				delete(has, e.CourierId)
				delete(hasIt, e.OrderId)
			}
		case *deliveryapi.DeliveryCancelled:
			if e.CourierId != hasIt[e.OrderId] {
				b.t.Errorf("%s was called off %s, which %q has", e.CourierId, e.OrderId, hasIt[e.OrderId])
			}
			delete(has, e.CourierId)
			delete(hasIt, e.OrderId)
			done[e.OrderId] = true
		case *deliveryapi.DeliveryFailed:
			delete(has, e.CourierId) // that the food came back is no event
			done[e.OrderId] = true
		case *deliveryapi.OrderDroppedOff:
			if hasIt[e.OrderId] != e.CourierId || done[e.OrderId] {
				b.t.Errorf("%s delivered %s, which %q has", e.CourierId, e.OrderId, hasIt[e.OrderId])
			}
			delete(has, e.CourierId)
			done[e.OrderId] = true
			delivered++
		}
	}
	return delivered
}

func TestOffersOfTwoRoundsAtOnce(t *testing.T) {
	b := newBench(t)
	orders := []string{b.schedule(0), b.schedule(0)}
	couriers := []string{b.courier(counter), b.courier(counter)}
	ctx := context.Background()
	// Both rounds have read the same, and propose crosswise.
	first := []pair{{orders[0], couriers[0]}, {orders[1], couriers[1]}}
	second := []pair{{orders[0], couriers[1]}, {orders[1], couriers[0]}, {ids.New(), couriers[0]}}
	if given, err := b.claim(ctx, nil, first, nil, noon); err != nil || given != 2 {
		t.Fatalf("gave %d, %v", given, err)
	}
	if given, err := b.claim(ctx, nil, second, []string{orders[0], ids.New()}, noon); err != nil || given != 0 {
		t.Errorf("gave %d away twice, %v", given, err)
	}
	third := b.schedule(0)
	if given, err := b.claim(ctx, nil, []pair{{third, couriers[0]}}, nil, noon); err != nil || given != 0 {
		t.Errorf("gave a busy courier %d more, %v", given, err)
	}
	for i, orderID := range orders {
		if d := b.delivery(orderID); d.State != Offered || d.CourierID != couriers[i] {
			t.Errorf("the delivery is %s with %s", d.State, d.CourierID)
		}
	}
	b.wantConsistent()
}

func BenchmarkRoundThatFindsNobody(b *testing.B) {
	bench := newBench(b)
	for range 200 {
		bench.schedule(0)
	}
	for b.Loop() {
		bench.round()
	}
}

func BenchmarkLife(b *testing.B) {
	bench := newBench(b)
	courierID := bench.courier(counter)
	for b.Loop() {
		orderID := bench.schedule(0)
		bench.round()
		bench.advance(orderID, courierID, Delivered)
	}
}

func TestADeliveryIsGivenUpThoughSomebodyIsFreeFarAway(t *testing.T) {
	b := newBench(t)
	orderID, courierID := b.schedule(0), b.courier(at(90))
	if left := b.round(); left != 1 {
		t.Errorf("%d left", left)
	}
	b.wantCourier(courierID, Available)
	b.clock.Advance(time.Hour)
	b.round()
	if d := b.delivery(orderID); d.State != Cancelled || d.Reason != NoCourier {
		t.Errorf("it is %s (%s)", d.State, d.Reason)
	}
	b.wantCourier(courierID, Available)
}
