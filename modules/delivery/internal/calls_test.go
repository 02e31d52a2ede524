package internal

import (
	"context"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"

	"kerf/modules/delivery/deliveryapi"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
)

func TestAScheduledDeliveryWaitsAndPromisesARange(t *testing.T) {
	b := newBench(t)
	req := b.scheduleRequest(20 * time.Minute)
	if _, err := b.ScheduleDelivery(asOrders, req); err != nil {
		t.Fatal(err)
	}
	events := b.published(req.OrderId)
	if len(events) != 1 {
		t.Fatalf("published %v", events)
	}
	event := events[0].(*deliveryapi.DeliveryScheduled)
	earliest, latest := event.EtaEarliest.AsTime().Sub(noon), event.EtaLatest.AsTime().Sub(noon)
	// ready in 20, 4 at the counter, 10 on the road, 4 at the door
	if earliest > 38*time.Minute || latest < 38*time.Minute || latest-earliest > 20*time.Minute {
		t.Errorf("promised %v to %v, want around 38 min", earliest, latest)
	}
	got, err := b.GetDelivery(asOrders, &deliveryapi.GetDeliveryRequest{OrderId: req.OrderId})
	if err != nil {
		t.Fatal(err)
	}
	if d := got.Delivery; d.State != deliveryapi.DeliveryState_DELIVERY_STATE_UNASSIGNED || d.CourierId != "" || d.CourierPosition != nil ||
		!proto.Equal(d.Pickup, req.Pickup) || !proto.Equal(d.ReadyBy, req.ReadyBy) || !proto.Equal(d.EtaLatest, event.EtaLatest) {
		t.Errorf("reads as %v", d)
	}
}

func TestSchedulingAgain(t *testing.T) {
	b := newBench(t)
	req := b.scheduleRequest(0)
	for range 2 { // the same command twice is one
		if _, err := b.ScheduleDelivery(asOrders, req); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.names(req.OrderId); got != "DeliveryScheduled" {
		t.Errorf("published %s", got)
	}
	req = proto.CloneOf(req)
	req.OperationKey = "another"
	_, err := b.ScheduleDelivery(asOrders, req)
	wantFault(t, err, "delivery_exists")
}

func TestACancelBeforeTheScheduleWins(t *testing.T) {
	b := newBench(t)
	req := b.scheduleRequest(0)
	if err := b.cancel(req.OrderId); err != nil {
		t.Fatal(err)
	}
	_, err := b.ScheduleDelivery(asOrders, req)
	wantFault(t, err, "delivery_cancelled")
	if got := b.names(req.OrderId); got != "" {
		t.Errorf("published %s about a delivery that never was", got)
	}
	if err := b.cancel(req.OrderId); err != nil {
		t.Errorf("cancelling again: %v", err)
	}
	_, err = b.GetDelivery(asOrders, &deliveryapi.GetDeliveryRequest{OrderId: req.OrderId})
	b.wantKind(err, fault.KindNotFound)
	b.want(404, b.by("support").get("/v1/deliveries/"+req.OrderId))
	b.want(404, b.by("support").act(req.OrderId, "reassignment", `{}`))
	if left := b.round(); left != 0 {
		t.Errorf("a round looks for couriers for %d", left)
	}
}

func TestACancelAfterTheScheduleEndsIt(t *testing.T) {
	b := newBench(t)
	req := b.scheduleRequest(0)
	if _, err := b.ScheduleDelivery(asOrders, req); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := b.cancel(req.OrderId); err != nil {
			t.Fatal(err)
		}
	}
	req = proto.CloneOf(req)
	req.OperationKey = "late"
	_, err := b.ScheduleDelivery(asOrders, req)
	wantFault(t, err, "delivery_cancelled")
	if got := b.names(req.OrderId); got != "DeliveryScheduled DeliveryCancelled" {
		t.Errorf("published %s", got)
	}
}

func TestACancelSetsTheCourierFreeUntilTheFoodIsTaken(t *testing.T) {
	for _, state := range []State{Offered, Assigned, AtPickup} {
		b := newBench(t)
		orderID, courierID := b.reach(state)
		if err := b.cancel(orderID); err != nil {
			t.Fatalf("%s: %v", state, err)
		}
		b.wantState(orderID, Cancelled)
		b.wantCourier(courierID, Available)
		b.wantConsistent()
		events := b.published(orderID)
		want := courierID
		if state == Offered {
			want = "" // nobody was told of a courier
		}
		if last := events[len(events)-1].(*deliveryapi.DeliveryCancelled); last.CourierId != want || last.Reason != "asked" {
			t.Errorf("%s: published %v", state, last)
		}
		if d := b.delivery(orderID); d.CourierID != "" {
			t.Errorf("%s: still has courier %s", state, d.CourierID)
		}
	}
	for _, state := range []State{PickedUp, AtDropoff, Delivered} {
		b := newBench(t)
		orderID, _ := b.reach(state)
		wantFault(t, b.cancel(orderID), "delivery_picked_up")
		b.wantState(orderID, state)
	}
}

func TestOnlyModulesCommand(t *testing.T) {
	b := newBench(t)
	req := b.scheduleRequest(0)
	_, err := b.ScheduleDelivery(context.Background(), req)
	b.wantKind(err, fault.KindUnauthenticated)
	asAdmin := identity.With(context.Background(), identity.Principal{Subject: "x", Roles: []identity.Role{identity.RoleAdmin}})
	_, err = b.ScheduleDelivery(asAdmin, req)
	b.wantKind(err, fault.KindForbidden)
	_, err = b.CancelDelivery(asAdmin, &deliveryapi.CancelDeliveryRequest{OperationKey: "k", OrderId: req.OrderId})
	b.wantKind(err, fault.KindForbidden)
	_, err = b.CancelDelivery(asOrders, &deliveryapi.CancelDeliveryRequest{OperationKey: "k", OrderId: "order"})
	b.wantKind(err, fault.KindInvalid)
}

func TestAMalformedScheduleNamesItsFields(t *testing.T) {
	b := newBench(t)
	_, err := b.ScheduleDelivery(asOrders, &deliveryapi.ScheduleDeliveryRequest{OperationKey: "k", OrderId: "x"})
	got := map[string]bool{}
	for _, v := range fault.As(err).Violations {
		got[v.Field] = true
	}
	for _, field := range []string{"order_id", "consumer_id", "restaurant_id", "pickup", "dropoff", "ready_by", "pickup_code", "delivery_pin"} {
		if !got[field] {
			t.Errorf("%s is not named: %v", field, err)
		}
	}
	req := b.scheduleRequest(0)
	req.OperationKey = ""
	_, err = b.ScheduleDelivery(asOrders, req)
	b.wantKind(err, fault.KindInvalid)
}

func TestADeliveryIsForItsOwnPeople(t *testing.T) {
	b := newBench(t)
	req := b.scheduleRequest(0)
	if _, err := b.ScheduleDelivery(asOrders, req); err != nil {
		t.Fatal(err)
	}
	courierID := b.courier(counter)
	b.round()
	for token, sees := range map[string]bool{
		"consumer:" + req.ConsumerId: true, "restaurant:" + req.RestaurantId: true, "courier:" + courierID: true, "support:s": true, "admin:a": true,
		"consumer:" + ids.New(): false, "restaurant:" + ids.New(): false, "courier:" + ids.New(): false,
		"consumer:" + req.RestaurantId: false, "courier:" + req.ConsumerId: false,
	} {
		p, _ := tokens{}.Verify(context.Background(), token)
		_, err := b.GetDelivery(identity.With(context.Background(), p), &deliveryapi.GetDeliveryRequest{OrderId: req.OrderId})
		want, status := fault.KindOK, 200
		if !sees {
			want, status = fault.KindNotFound, 404
		}
		b.wantKind(err, want)
		if got := b.by(token).get("/v1/deliveries/" + req.OrderId); got.status != status {
			t.Errorf("%s: %d, want %d", token, got.status, status)
		}
	}
	_, err := b.GetDelivery(context.Background(), &deliveryapi.GetDeliveryRequest{OrderId: req.OrderId})
	b.wantKind(err, fault.KindUnauthenticated)
	b.want(401, b.by("").get("/v1/deliveries/"+req.OrderId))
}

// hear has delivery handle an event of the kitchen's.
func (b *bench) hear(orderID string, said word) {
	b.t.Helper()
	err := b.db.Write(context.Background(), func(ctx context.Context, tx *database.Tx) error { return b.heard(ctx, tx, orderID, said) })
	if err != nil {
		b.t.Fatal(err)
	}
}

func TestADelayIsToldToDinerAndCourier(t *testing.T) {
	b := newBench(t)
	orderID, courierID := b.reach(Assigned)
	before, events := b.row(courierID).Version, len(b.published(orderID))

	b.hear(orderID, word{readyBy: noon.Add(30 * time.Minute)})
	published := b.published(orderID)
	if len(published) != events+1 {
		t.Fatalf("published %s", b.names(orderID))
	}
	changed := published[events].(*deliveryapi.EtaChanged)
	if changed.EtaEarliest.AsTime().Before(noon.Add(40 * time.Minute)) {
		t.Errorf("promised from %v", changed.EtaEarliest.AsTime())
	}
	if v := b.row(courierID).Version; v != before+1 {
		t.Errorf("the courier's version went from %d to %d", before, v)
	}
	got := b.as(courierID).get("/v1/couriers/" + courierID)
	if got.field("delivery.ready_by") != "2026-03-02T12:30:00Z" {
		t.Errorf("the courier sees %s", got.body)
	}

	b.hear(orderID, word{readyBy: noon.Add(31 * time.Minute)}) // too little to be told
	if n := len(b.published(orderID)); n != events+1 {
		t.Errorf("published %s", b.names(orderID))
	}
	b.hear(orderID, word{readyAt: noon.Add(31 * time.Minute)})
	if got := b.as(courierID).get("/v1/couriers/" + courierID); got.field("delivery.ready_at") != "2026-03-02T12:31:00Z" {
		t.Errorf("the courier sees %s", got.body)
	}
}

func TestAKitchenFasterThanTheSagaIsHeard(t *testing.T) {
	b := newBench(t)
	req := b.scheduleRequest(0)
	b.hear(req.OrderId, word{readyBy: noon.Add(25 * time.Minute)})
	b.hear(req.OrderId, word{readyAt: noon.Add(21 * time.Minute)})
	b.hear(req.OrderId, word{readyAt: noon.Add(29 * time.Minute)})
	if _, err := b.ScheduleDelivery(asOrders, req); err != nil {
		t.Fatal(err)
	}
	if d := b.delivery(req.OrderId); !d.ReadyBy.Equal(noon.Add(25*time.Minute)) || !d.ReadyAt.Equal(noon.Add(21*time.Minute)) {
		t.Errorf("ready by %v, at %v", d.ReadyBy, d.ReadyAt)
	}
	var kept int
	if err := b.db.QueryRow(context.Background(), `SELECT count(*) FROM early_word`).Scan(&kept); err != nil || kept != 0 {
		t.Errorf("%d words are kept, %v", kept, err)
	}
}

func TestAWordAboutAnEndedDeliveryChangesNothing(t *testing.T) {
	b := newBench(t)
	orderID, _ := b.reach(Delivered)
	before, events := b.delivery(orderID), b.names(orderID)
	b.hear(orderID, word{readyBy: noon.Add(time.Hour)})
	b.hear(orderID, word{readyAt: noon.Add(time.Hour)})
	if after := b.delivery(orderID); *after != *before || b.names(orderID) != events {
		t.Errorf("changed from %+v to %+v", before, after)
	}
}
