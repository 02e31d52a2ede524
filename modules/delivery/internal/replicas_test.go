package internal

import (
	"context"
	"net/http"
	"testing"
	"time"

	"kerf/modules/delivery/deliveryapi"
)

func TestRoundsOfTwoProcessesGiveNothingTwice(t *testing.T) {
	one, other := newTwo(t)
	one.run(one.queue.Run)
	other.run(other.queue.Run)
	rush(one, other)
}

// The process that does not dispatch tells the one that does, and takes over when that ends.
func TestOneOfTwoProcessesDispatches(t *testing.T) {
	one, other := newTwo(t)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- one.Run(ctx) }()
	waited, first := one.schedule(0), one.courier(counter)
	one.await("the first offer", func() bool {
		one.clock.Advance(time.Second)
		return one.delivery(waited).State == Offered
	})
	other.run(other.Run)

	came := other.schedule(0)
	second := other.courier(counter)
	one.await("what came to the other process", func() bool {
		one.clock.Advance(time.Second)
		return one.delivery(came).State == Offered
	})
	stop()
	if err := <-ended; err != nil {
		t.Fatal(err)
	}
	other.want(200, other.as(first).act(waited, "decline", `{}`))
	other.want(200, other.as(second).act(came, "acceptance", `{}`))
	third := other.courier(counter)
	other.await("an offer by the other process", func() bool {
		other.clock.Advance(time.Second)
		d := other.delivery(waited)
		return d.State == Offered && d.CourierID == third
	})
	other.wantConsistent()
}

// What a process knows of a courier is what the courier's app is told, so it must not outlive what the other process writes.
func TestAPollAtOneProcessFindsWhatTheOtherWrote(t *testing.T) {
	one, other := newTwo(t)
	courierID := one.courier(counter)
	path := "/v1/couriers/" + courierID
	for range 3 {
		seen := one.want(200, one.as(courierID).get(path)).header.Get("ETag")
		one.want(http.StatusNotModified, one.as(courierID).get(path, "If-None-Match", seen))

		orderID := other.schedule(0)
		other.round()
		offered := ""
		one.await("the offer", func() bool {
			got := one.as(courierID).get(path, "If-None-Match", seen)
			offered = got.header.Get("ETag")
			return got.field("delivery.order_id") == orderID
		})
		other.want(200, other.as(courierID).act(orderID, "acceptance", `{}`))
		one.await("the answer that the other process was given", func() bool {
			got := one.as(courierID).get(path, "If-None-Match", offered)
			return got.field("delivery.state") == string(Assigned)
		})
		one.advanceFrom(orderID, courierID, Assigned, Delivered)
	}
}

// A report is published for the order that the courier has, whichever process gave it; and wherever it is told, it is known where the
// courier is, and never again where it was before.
func TestPositionsThatAreReportedToTwoProcesses(t *testing.T) {
	one, other := newTwo(t)
	one.run(func(ctx context.Context) error { return one.moves.run(ctx, one.metrics) })
	courierID := one.courier(counter)
	one.want(204, one.as(courierID).report(courierID, at(1), 1))
	orderID := other.schedule(0)
	other.round()
	other.want(200, other.as(courierID).act(orderID, "acceptance", `{}`))
	sequence := int64(1)
	one.await("a move that names the order", func() bool {
		one.clock.Advance(time.Second)
		sequence++
		one.want(204, one.as(courierID).report(courierID, at(1), sequence))
		moves := one.moved.all()
		ids := moves[len(moves)-1].OrderIds
		return len(ids) == 1 && ids[0] == orderID
	})

	one.clock.Advance(time.Second)
	other.want(204, other.as(courierID).report(courierID, at(5), sequence+5))
	if err := other.writePositions(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := one.writePositions(t.Context()); err != nil { // what it has is older
		t.Fatal(err)
	}
	if c := one.row(courierID); c.Sequence != sequence+5 || c.Position.Distance(at(5)) > 1 {
		t.Errorf("written is %+v", c)
	}
	if left := one.tracks.unwritten(); len(left) != 0 {
		t.Errorf("%v is still to be written, though it is overtaken", left)
	}
	one.await("the position that the other process was told", func() bool {
		res, err := one.GetDelivery(asOrders, &deliveryapi.GetDeliveryRequest{OrderId: orderID})
		return err == nil && res.Delivery.CourierPosition.GetLongitude() == at(5).Longitude
	})
}

func TestAShiftThatBeganIsLaterThanAReportBefore(t *testing.T) {
	one, other := newTwo(t)
	courierID := one.courier(counter)
	other.want(204, other.as(courierID).report(courierID, at(3), 9)) // not written yet
	one.clock.Advance(time.Minute)
	one.want(200, one.as(courierID).post("/v1/couriers/"+courierID+"/shift-end", `{}`))
	one.want(200, one.as(courierID).post("/v1/couriers/"+courierID+"/shift", positionJSON(at(7))))
	if err := other.writePositions(t.Context()); err != nil {
		t.Fatal(err)
	}
	if c := other.row(courierID); c.Position.Distance(at(7)) > 1 {
		t.Errorf("the courier is at %v", c.Position)
	}
}
