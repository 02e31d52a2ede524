package internal

import (
	"context"
	"strings"
	"testing"
	"time"

	"kerf/modules/delivery/deliveryapi"
)

func TestAnOldReportIsDropped(t *testing.T) {
	b := newBench(t)
	courierID := b.courier(counter)
	app := b.as(courierID)
	for _, r := range []struct {
		minutes  float64
		sequence int64
	}{{1, 5}, {2, 4}, {3, 5}} {
		b.want(204, app.report(courierID, at(r.minutes), r.sequence))
	}
	seen, ok := b.tracks.lastSeen(courierID)
	if !ok || seen.sequence != 5 || seen.position.Distance(at(1)) > 1 {
		t.Errorf("last seen %+v", seen)
	}
	b.want(204, app.report(courierID, at(4), 6))
	if seen, _ := b.tracks.lastSeen(courierID); seen.sequence != 6 {
		t.Errorf("last seen %+v", seen)
	}
}

func TestOffShiftNobodyIsFollowed(t *testing.T) {
	b := newBench(t)
	courierID := b.courier(counter)
	b.want(200, b.as(courierID).post("/v1/couriers/"+courierID+"/shift-end", `{}`))
	b.want(204, b.as(courierID).report(courierID, at(5), 1))
	if seen, _ := b.tracks.lastSeen(courierID); seen.position.Distance(counter) > 1 {
		t.Errorf("followed to %v", seen.position)
	}
}

func TestReportsAreWrittenDownTogetherAndSurviveARestart(t *testing.T) {
	b := newBench(t)
	first, second := b.courier(counter), b.courier(counter)
	before := b.row(first).Version
	b.want(204, b.as(first).report(first, at(1), 7))
	b.want(204, b.as(first).report(first, at(2), 8))
	b.want(204, b.as(second).report(second, at(3), 1))
	if c := b.row(first); c.Sequence != 0 {
		t.Errorf("a report was written at once: %+v", c)
	}
	ctx, stop := context.WithCancel(context.Background())
	stop() // at its end it writes what is left
	if err := b.keepPositions(ctx); err != nil {
		t.Fatal(err)
	}
	if c := b.row(first); c.Sequence != 8 || c.Version != before+1 || c.Position.Distance(at(2)) > 1 {
		t.Errorf("written %+v", c)
	}
	if len(b.tracks.unwritten()) != 0 {
		t.Errorf("still unwritten: %v", b.tracks.unwritten())
	}

	b.start()
	b.want(204, b.as(first).report(first, at(9), 8)) // known from before
	if got := b.as(first).get("/v1/couriers/" + first); got.field("location_sequence") != 8.0 {
		t.Errorf("after a restart %s", got.body)
	}
	if seen, _ := b.tracks.lastSeen(first); seen.position.Distance(at(2)) > 1 {
		t.Errorf("an old report moved the courier to %v", seen.position)
	}
}

func TestPositionsAreWrittenEverySoOften(t *testing.T) {
	b := newBench(t)
	courierID := b.courier(counter)
	b.run(b.keepPositions)
	b.want(204, b.as(courierID).report(courierID, at(1), 1))
	if err := b.clock.AwaitTimers(context.Background(), 1); err != nil {
		t.Fatal(err)
	}
	b.clock.Advance(2 * time.Second)
	b.await("the position in the table", func() bool { return b.row(courierID).Sequence == 1 })
}

func TestMovesArePublishedApart(t *testing.T) {
	b := newBench(t)
	orderID, courierID := b.reach(Offered)
	b.run(b.Run)
	app := b.as(courierID)
	b.want(204, app.report(courierID, at(1), 1))
	b.want(204, app.report(courierID, at(2), 2)) // too soon after the first
	b.clock.Advance(time.Second)
	b.want(200, app.act(orderID, "acceptance", `{}`))
	b.want(204, app.report(courierID, at(3), 3))
	b.await("two moves", func() bool { return len(b.moved.all()) == 2 })
	moves := b.moved.all()
	if moves[0].Sequence != 1 || len(moves[0].OrderIds) != 0 {
		t.Errorf("published %v; an offer is no order of the courier's", moves[0])
	}
	if moves[1].Sequence != 3 || strings.Join(moves[1].OrderIds, " ") != orderID || moves[1].CourierId != courierID {
		t.Errorf("published %v", moves[1])
	}
}

func TestTheExpectedArrivalFollowsTheCourier(t *testing.T) {
	b := newBench(t)
	orderID, courierID := b.reach(PickedUp)
	app, before := b.as(courierID), len(b.published(orderID))
	b.clock.Advance(time.Minute)
	b.want(204, app.report(courierID, at(1), 1)) // as expected
	if n := len(b.published(orderID)); n != before {
		t.Errorf("published %s", b.names(orderID))
	}
	b.clock.Advance(4 * time.Minute)
	b.want(204, app.report(courierID, at(2), 2)) // three minutes behind
	events := b.published(orderID)
	if len(events) != before+1 {
		t.Fatalf("published %s", b.names(orderID))
	}
	changed := events[before].(*deliveryapi.EtaChanged)
	expected := noon.Add((5 + 8 + 4) * time.Minute)
	if changed.EtaEarliest.AsTime().After(expected) || changed.EtaLatest.AsTime().Before(expected) {
		t.Errorf("told %v to %v, expected %v", changed.EtaEarliest.AsTime(), changed.EtaLatest.AsTime(), expected)
	}
	b.want(204, app.report(courierID, at(2), 3))
	if n := len(b.published(orderID)); n != before+1 {
		t.Errorf("told twice: %s", b.names(orderID))
	}
}

func TestWhereTheCourierIsIsShownWhileItMatters(t *testing.T) {
	for _, state := range states[:7] {
		b := newBench(t)
		orderID, courierID := b.reach(state)
		b.want(204, b.as(courierID).report(courierID, at(1), 1))
		res, err := b.GetDelivery(asOrders, &deliveryapi.GetDeliveryRequest{OrderId: orderID})
		if err != nil {
			t.Fatal(err)
		}
		want := state == Assigned || state == AtPickup || state == PickedUp || state == AtDropoff
		if got := res.Delivery.CourierPosition != nil; got != want {
			t.Errorf("%s: shown %v", state, got)
		}
		if want {
			b.start() // from the table then
			if res, err = b.GetDelivery(asOrders, &deliveryapi.GetDeliveryRequest{OrderId: orderID}); err != nil || res.Delivery.CourierPosition == nil {
				t.Errorf("%s: after a restart %v, %v", state, res, err)
			}
		}
	}
}

func TestAReportBeforeRegistrationFindsNobody(t *testing.T) {
	b := newBench(t)
	const id = "0190a000-0000-7000-8000-000000000009"
	b.want(404, b.as(id).report(id, counter, 1))
}

func BenchmarkReport(b *testing.B) {
	bench := newBench(b)
	courierID := bench.courier(counter)
	sequence := int64(0)
	for b.Loop() {
		sequence++
		if err := bench.reportLocation(context.Background(), courierID, report{at(1), sequence, noon}); err != nil {
			b.Fatal(err)
		}
	}
}
