package internal

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/accounting/accountingapi"
	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/modules/orders/ordersapi"
	"kerf/modules/tracking/trackingapi"
	"kerf/platform/bus"
	"kerf/platform/kerfpb"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

const (
	orderID      = "0190a000-0000-7000-8000-000000000001"
	consumerID   = "0190a000-0000-7000-8000-000000000002"
	restaurantID = "0190a000-0000-7000-8000-000000000003"
	courierID    = "0190a000-0000-7000-8000-000000000004"
)

func euro(amount int64) *kerfpb.Money { return &kerfpb.Money{Amount: amount, Currency: "EUR"} }

func minute(n int) *timestamppb.Timestamp {
	return timestamppb.New(noon.Add(time.Duration(n) * time.Minute))
}

// fact is what an event says, whatever its type.
func fact(meta bus.Meta, event proto.Message) Fact {
	switch e := event.(type) {
	case *ordersapi.OrderPlaced:
		return factOf(Orders, meta, e, orderPlaced)
	case *ordersapi.OrderApproved:
		return factOf(Orders, meta, e, orderApproved)
	case *ordersapi.OrderRejected:
		return factOf(Orders, meta, e, orderRejected)
	case *ordersapi.CancelRequested:
		return factOf(Orders, meta, e, cancelRequested)
	case *ordersapi.CancelRefused:
		return factOf(Orders, meta, e, cancelRefused)
	case *ordersapi.OrderCancelled:
		return factOf(Orders, meta, e, orderCancelled)
	case *ordersapi.OrderDelivered:
		return factOf(Orders, meta, e, orderDelivered)
	case *ordersapi.OrderUndeliverable:
		return factOf(Orders, meta, e, orderUndeliverable)
	case *kitchenapi.TicketCreated:
		return factOf(Kitchen, meta, e, ticketCreated)
	case *kitchenapi.TicketAccepted:
		return factOf(Kitchen, meta, e, ticketAccepted)
	case *kitchenapi.TicketRejected:
		return factOf(Kitchen, meta, e, ticketRejected)
	case *kitchenapi.TicketExpired:
		return factOf(Kitchen, meta, e, ticketExpired)
	case *kitchenapi.PreparationStarted:
		return factOf(Kitchen, meta, e, preparationStarted)
	case *kitchenapi.TicketReady:
		return factOf(Kitchen, meta, e, ticketReady)
	case *kitchenapi.TicketDelayed:
		return factOf(Kitchen, meta, e, ticketDelayed)
	case *kitchenapi.TicketHandedOver:
		return factOf(Kitchen, meta, e, ticketHandedOver)
	case *kitchenapi.TicketCancelled:
		return factOf(Kitchen, meta, e, ticketCancelled)
	case *deliveryapi.DeliveryScheduled:
		return factOf(Delivery, meta, e, deliveryScheduled)
	case *deliveryapi.CourierAssigned:
		return factOf(Delivery, meta, e, courierAssigned)
	case *deliveryapi.CourierUnassigned:
		return factOf(Delivery, meta, e, courierUnassigned)
	case *deliveryapi.CourierArrived:
		return factOf(Delivery, meta, e, courierArrived)
	case *deliveryapi.OrderPickedUp:
		return factOf(Delivery, meta, e, orderPickedUp)
	case *deliveryapi.EtaChanged:
		return factOf(Delivery, meta, e, etaChanged)
	case *deliveryapi.OrderDroppedOff:
		return factOf(Delivery, meta, e, orderDroppedOff)
	case *deliveryapi.DeliveryFailed:
		return factOf(Delivery, meta, e, deliveryFailed)
	case *deliveryapi.DeliveryCancelled:
		return factOf(Delivery, meta, e, deliveryCancelled)
	case *accountingapi.PaymentAuthorized:
		return factOf(Accounting, meta, e, paymentAuthorized)
	case *accountingapi.PaymentDeclined:
		return factOf(Accounting, meta, e, paymentDeclined)
	case *accountingapi.PaymentVoided:
		return factOf(Accounting, meta, e, paymentVoided)
	case *accountingapi.PaymentCaptured:
		return factOf(Accounting, meta, e, paymentCaptured)
	case *accountingapi.PaymentRefunded:
		return factOf(Accounting, meta, e, paymentRefunded)
	}
	panic(fmt.Sprintf("no fact of %T", event))
}

// Events of every type that is heard, by source.
var (
	placed    = &ordersapi.OrderPlaced{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, Total: euro(1500), PlacedAt: minute(0), Address: &kerfpb.Position{Latitude: 48, Longitude: 16}, RestaurantPosition: &kerfpb.Position{Latitude: 48.1, Longitude: 16.1}, EtaEarliest: minute(30), EtaLatest: minute(45)}
	approved  = &ordersapi.OrderApproved{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID}
	rejected  = &ordersapi.OrderRejected{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, Reason: "card_declined"}
	asked     = &ordersapi.CancelRequested{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, By: "consumer", Reason: "cancelled_by_consumer"}
	refused   = &ordersapi.CancelRefused{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, Reason: "order_picked_up"}
	cancelled = &ordersapi.OrderCancelled{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, Reason: "cancelled_by_consumer", Charge: euro(200)}
	delivered = &ordersapi.OrderDelivered{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, Charge: euro(1500)}
	lost      = &ordersapi.OrderUndeliverable{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, Reason: "damaged", Charge: euro(0)}

	made            = &kitchenapi.TicketCreated{OrderId: orderID, RestaurantId: restaurantID, ConsumerId: consumerID}
	accepted        = &kitchenapi.TicketAccepted{OrderId: orderID, RestaurantId: restaurantID, ConsumerId: consumerID, ReadyBy: minute(15)}
	turnedDown      = &kitchenapi.TicketRejected{OrderId: orderID, RestaurantId: restaurantID, ConsumerId: consumerID}
	expired         = &kitchenapi.TicketExpired{OrderId: orderID, RestaurantId: restaurantID, ConsumerId: consumerID}
	preparing       = &kitchenapi.PreparationStarted{OrderId: orderID, RestaurantId: restaurantID, ConsumerId: consumerID}
	ready           = &kitchenapi.TicketReady{OrderId: orderID, RestaurantId: restaurantID, ConsumerId: consumerID, ReadyAt: minute(14)}
	delayed         = &kitchenapi.TicketDelayed{OrderId: orderID, RestaurantId: restaurantID, ConsumerId: consumerID, ReadyBy: minute(20)}
	handedOver      = &kitchenapi.TicketHandedOver{OrderId: orderID, RestaurantId: restaurantID, ConsumerId: consumerID}
	ticketDestroyed = &kitchenapi.TicketCancelled{OrderId: orderID, RestaurantId: restaurantID, ConsumerId: consumerID}

	scheduled  = &deliveryapi.DeliveryScheduled{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, EtaEarliest: minute(25), EtaLatest: minute(40)}
	assigned   = &deliveryapi.CourierAssigned{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, CourierId: courierID, EtaEarliest: minute(26), EtaLatest: minute(38)}
	unassigned = &deliveryapi.CourierUnassigned{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, CourierId: courierID, Reason: "offline"}
	atCounter  = &deliveryapi.CourierArrived{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, CourierId: courierID, Place: "pickup"}
	pickedUp   = &deliveryapi.OrderPickedUp{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, CourierId: courierID, PickedUpAt: minute(17), EtaEarliest: minute(27), EtaLatest: minute(30)}
	eta        = &deliveryapi.EtaChanged{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, EtaEarliest: minute(28), EtaLatest: minute(31)}
	atDoor     = &deliveryapi.CourierArrived{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, CourierId: courierID, Place: "dropoff"}
	droppedOff = &deliveryapi.OrderDroppedOff{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, CourierId: courierID, DeliveredAt: minute(29)}
	failed     = &deliveryapi.DeliveryFailed{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, CourierId: courierID, Reason: "damaged"}
	calledOff  = &deliveryapi.DeliveryCancelled{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, Reason: "no_courier"}

	authorized = &accountingapi.PaymentAuthorized{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, Amount: euro(1500)}
	declined   = &accountingapi.PaymentDeclined{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, Amount: euro(1500)}
	voided     = &accountingapi.PaymentVoided{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, Amount: euro(1500)}
	captured   = &accountingapi.PaymentCaptured{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, Amount: euro(1500)}
	refunded   = &accountingapi.PaymentRefunded{OrderId: orderID, ConsumerId: consumerID, RestaurantId: restaurantID, Amount: euro(100)}
)

var eventsOf = map[Source][]proto.Message{
	Orders:     {placed, approved, rejected, asked, refused, cancelled, delivered, lost},
	Kitchen:    {made, accepted, turnedDown, expired, preparing, ready, delayed, handedOver, ticketDestroyed},
	Delivery:   {scheduled, assigned, unassigned, atCounter, pickedUp, eta, atDoor, droppedOff, failed, calledOff},
	Accounting: {authorized, declined, voided, captured, refunded},
}

// sourceOf is who publishes an event.
func sourceOf(event proto.Message) Source {
	name := event.ProtoReflect().Descriptor().FullName()
	return Source(name.Parent().Parent().Name())
}

// life turns events into facts: of each source numbered from 1, a minute apart.
func life(events ...proto.Message) []Fact {
	sequence := map[Source]int64{}
	facts := make([]Fact, len(events))
	for i, e := range events {
		source := sourceOf(e)
		sequence[source]++
		name, _ := bus.TypeOf(e)
		facts[i] = fact(bus.Meta{Type: name, Sequence: sequence[source], Time: noon.Add(time.Duration(i) * time.Minute)}, e)
	}
	return facts
}

func fold(facts []Fact) *trackingapi.View {
	v := &trackingapi.View{}
	for _, f := range facts {
		Fold(v, f)
	}
	return v
}

// Whatever the sources publish, in a sensible order or not, at whatever instants of their clocks.
func TestAViewIsTheFoldOfItsEventsHoweverTheyInterleave(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for range 200 {
		streams := randomLife(random)
		var inOrder []Fact
		for _, s := range sources {
			inOrder = append(inOrder, streams[s]...)
		}
		want := fold(inOrder)
		for range 4 {
			got := fold(interleave(random, streams))
			if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
				t.Fatalf("seed %d: the order of arrival shows (-one source after another +interleaved):\n%s", seed, diff)
			}
		}
		if want.GetSequence() != int64(len(inOrder)) {
			t.Fatalf("seed %d: the sequence is %d after %d events", seed, want.GetSequence(), len(inOrder))
		}
	}
}

func randomLife(random *rand.Rand) map[Source][]Fact {
	streams := map[Source][]Fact{}
	for _, s := range sources {
		at := noon
		for i := range random.IntN(7) {
			event := eventsOf[s][random.IntN(len(eventsOf[s]))]
			at = at.Add(time.Duration(random.IntN(4)-1) * time.Minute) // ties, and now and then a clock that went back
			name, _ := bus.TypeOf(event)
			streams[s] = append(streams[s], fact(bus.Meta{Type: name, Sequence: int64(i + 1), Time: at}, event))
		}
	}
	return streams
}

// interleave mixes the sources' facts at random, each source's in its order, with repeats of what came before.
func interleave(random *rand.Rand, streams map[Source][]Fact) []Fact {
	next := map[Source]int{}
	var mixed []Fact
	for {
		open := slices.DeleteFunc(slices.Clone(sources), func(s Source) bool { return next[s] == len(streams[s]) })
		if len(open) == 0 {
			return mixed
		}
		s := open[random.IntN(len(open))]
		mixed = append(mixed, streams[s][next[s]])
		next[s]++
		if random.IntN(3) == 0 {
			mixed = append(mixed, mixed[random.IntN(len(mixed))])
		}
	}
}

func TestARepeatChangesNothing(t *testing.T) {
	facts := life(placed, made, authorized, approved, accepted, scheduled)
	v := fold(facts)
	before := proto.Clone(v)
	for _, f := range facts {
		if Fold(v, f) {
			t.Errorf("%s was folded twice", f.Event)
		}
	}
	if diff := cmp.Diff(before, v, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestTheStatusIsTheFurthestFact(t *testing.T) {
	for name, c := range map[string]struct {
		events []proto.Message
		status string
		reason string
	}{
		"nothing of orders yet":                   {events(made, authorized), Pending, ""},
		"placed":                                  {events(placed, made), Pending, ""},
		"approved":                                {events(placed, approved), Approved, ""},
		"accepted before the approval is heard":   {events(placed, accepted), Accepted, ""},
		"preparing":                               {events(placed, approved, accepted, preparing), Preparing, ""},
		"a delay changes the promise only":        {events(placed, approved, accepted, preparing, delayed), Preparing, ""},
		"ready":                                   {events(placed, approved, accepted, ready), Ready, ""},
		"handed over, the courier is silent":      {events(placed, approved, accepted, ready, handedOver), Ready, ""},
		"a courier at the counter":                {events(placed, approved, accepted, scheduled, assigned, atCounter), Accepted, ""},
		"picked up":                               {events(placed, approved, pickedUp), PickedUp, ""},
		"at the door":                             {events(placed, approved, pickedUp, atDoor), PickedUp, ""},
		"the diner has it, not paid yet":          {events(placed, approved, pickedUp, droppedOff), Delivered, ""},
		"delivered":                               {events(placed, approved, droppedOff, delivered), Delivered, ""},
		"rejected":                                {events(placed, made, declined, rejected, ticketDestroyed), Rejected, "card_declined"},
		"the ticket is undone before the end":     {events(placed, made, declined, ticketDestroyed), Pending, ""},
		"a cancel waits for the approval":         {events(placed, asked), Pending, "cancelled_by_consumer"},
		"a cancel begins with the approval":       {events(placed, asked, approved), CancelPending, "cancelled_by_consumer"},
		"a cancel":                                {events(placed, approved, accepted, asked), CancelPending, "cancelled_by_consumer"},
		"a cancel that is refused":                {events(placed, approved, accepted, asked, refused), Accepted, ""},
		"a cancel that comes too late":            {events(placed, approved, asked, pickedUp), PickedUp, "cancelled_by_consumer"},
		"cancelled":                               {events(placed, approved, asked, ticketDestroyed, cancelled), Cancelled, "cancelled_by_consumer"},
		"cancelled wins over what delivery says":  {events(placed, approved, droppedOff, cancelled), Cancelled, "cancelled_by_consumer"},
		"the restaurant declines":                 {events(placed, approved, turnedDown), CancelPending, ""},
		"the restaurant does not answer":          {events(placed, approved, expired), CancelPending, ""},
		"no courier":                              {events(placed, approved, accepted, scheduled, calledOff), CancelPending, ""},
		"a ticket is given up, orders is silent":  {events(placed, accepted, ticketDestroyed), CancelPending, ""},
		"the food does not arrive":                {events(placed, approved, pickedUp, failed), Undeliverable, ""},
		"undeliverable":                           {events(placed, approved, pickedUp, failed, lost), Undeliverable, "damaged"},
		"a refund long after changes no status":   {events(placed, approved, droppedOff, delivered, captured, refunded), Delivered, ""},
		"what is heard after the end is no start": {events(placed, approved, cancelled, accepted, scheduled), Cancelled, "cancelled_by_consumer"},
	} {
		t.Run(name, func(t *testing.T) {
			v := fold(life(c.events...))
			if v.GetStatus() != c.status || v.GetReason() != c.reason {
				t.Errorf("the diner is told %s (%q), want %s (%q)", v.GetStatus(), v.GetReason(), c.status, c.reason)
			}
		})
	}
}

// What happens to orders, in the order in which it does.
var lives = map[string][]proto.Message{
	"delivered": events(placed, made, authorized, approved, accepted, scheduled, assigned, preparing, ready, atCounter, handedOver, pickedUp, captured,
		atDoor, droppedOff, delivered),
	"rejected":                   events(placed, made, declined, ticketDestroyed, rejected),
	"declined by the restaurant": events(placed, made, authorized, approved, turnedDown, voided, cancelled),
	"expired":                    events(placed, made, authorized, approved, expired, voided, cancelled),
	"cancelled while pending":    events(placed, asked, made, authorized, approved, ticketDestroyed, voided, cancelled),
	"cancelled while approved":   events(placed, made, authorized, approved, asked, ticketDestroyed, voided, cancelled),
	"cancelled when ready": events(placed, made, authorized, approved, accepted, scheduled, assigned, preparing, ready, asked, ticketDestroyed, calledOff,
		captured, cancelled),
	"without a courier": events(placed, made, authorized, approved, accepted, scheduled, preparing, calledOff, voided, ticketDestroyed, cancelled),
	"cancelled too late": events(placed, made, authorized, approved, accepted, scheduled, assigned, preparing, ready, handedOver, asked, refused, pickedUp,
		captured, atDoor, droppedOff, delivered),
	"lost": events(placed, made, authorized, approved, accepted, scheduled, assigned, preparing, ready, handedOver, pickedUp, captured, failed, refunded, lost),
}

// One source may be heard long after the others, when the broker or its process was away.
func TestNoLifeGoesBackwardsHoweverItIsHeard(t *testing.T) {
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	for name, happened := range lives {
		streams := map[Source][]Fact{}
		for _, f := range life(happened...) {
			streams[f.Source] = append(streams[f.Source], f)
		}
		for range 300 {
			v, told := &trackingapi.View{}, []string{Pending}
			for _, f := range interleave(random, streams) {
				Fold(v, f)
				last := told[len(told)-1]
				if v.GetStatus() != last {
					told = append(told, v.GetStatus())
				}
				if !mayFollow(last, v.GetStatus()) {
					t.Fatalf("seed %d: %s: %v", seed, name, told)
				}
			}
		}
	}
}

// mayFollow tells whether an order may go from one status to the other; what lies between may not have been told.
func mayFollow(from, to string) bool {
	way := []string{Pending, Approved, Accepted, Preparing, Ready, PickedUp, Delivered}
	switch {
	case from == to:
		return true
	case slices.Contains(endStatuses, from):
		return false
	case to == CancelPending || to == Cancelled:
		return from != PickedUp
	case to == Rejected:
		return from == Pending
	case to == Undeliverable:
		return true
	case from == CancelPending: // it was refused
		return to != Pending
	}
	return slices.Index(way, from) < slices.Index(way, to)
}

func events(all ...proto.Message) []proto.Message { return all }

func TestAWholeLifeFillsEverySection(t *testing.T) {
	got := fold(life(placed, made, authorized, approved, accepted, scheduled, assigned, preparing, delayed, ready, atCounter, handedOver,
		pickedUp, captured, eta, atDoor, droppedOff, delivered, refunded, refunded))
	want := &trackingapi.View{
		OrderId: orderID, Sequence: 20, ConsumerId: consumerID, RestaurantId: restaurantID, Status: Delivered,
		Order: &trackingapi.OrderSection{Sequence: 3, State: Delivered, Total: euro(1500), Charge: euro(1500), PlacedAt: minute(0),
			Address: placed.GetAddress(), RestaurantPosition: placed.GetRestaurantPosition(), EtaEarliest: minute(30), EtaLatest: minute(45)},
		Ticket: &trackingapi.TicketSection{Sequence: 6, State: PickedUp, ReadyBy: minute(20)},
		Delivery: &trackingapi.DeliverySection{Sequence: 7, State: Delivered, CourierId: courierID, EtaEarliest: minute(28), EtaLatest: minute(31),
			PickedUpAt: minute(17), DeliveredAt: minute(29)},
		Payment: &trackingapi.PaymentSection{Sequence: 4, State: Refunded, Authorized: euro(1500), Captured: euro(1500), Refunded: euro(200)},
	}
	history := got.GetHistory()
	got.History = nil
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if len(history) != 19 { // all but EtaChanged
		t.Errorf("the history has %d events", len(history))
	}
	if !slices.IsSortedFunc(history, func(a, b *trackingapi.HistoryEntry) int { return a.GetTime().AsTime().Compare(b.GetTime().AsTime()) }) {
		t.Errorf("the history is not in order: %v", history)
	}
}

// A state or event of another contract that is new shows here: every type of event that is heard is among those that the tests use.
func TestEveryEventThatIsHeardIsFolded(t *testing.T) {
	for _, subscription := range (&Service{}).Subscriptions() {
		if got, want := len(subscription.Handlers), typesOf(Source(subscription.Module)); got != want {
			t.Errorf("%d handlers for %s, %d types of events", got, subscription.Module, want)
		}
	}
}

func typesOf(s Source) int {
	names := map[string]bool{}
	for _, e := range eventsOf[s] {
		names[string(e.ProtoReflect().Descriptor().Name())] = true
	}
	return len(names)
}
