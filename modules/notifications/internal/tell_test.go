package internal

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/accounting/accountingapi"
	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/modules/orders/ordersapi"
	"kerf/platform/database"
	"kerf/platform/ids"
	"kerf/platform/kerfpb"
)

func euro(amount int64) *kerfpb.Money { return &kerfpb.Money{Amount: amount, Currency: "EUR"} }

// order is an order and those whom it concerns.
type order struct{ id, consumer, restaurant, courier string }

func (k *teller) order(locale string, muted ...string) order {
	return order{ids.New(), k.consumer(locale, muted...), ids.New(), ids.New()}
}

func (o order) approved() proto.Message {
	return &ordersapi.OrderApproved{OrderId: o.id, ConsumerId: o.consumer, RestaurantId: o.restaurant}
}

func (o order) pickedUp() proto.Message {
	return &deliveryapi.OrderPickedUp{OrderId: o.id, ConsumerId: o.consumer, RestaurantId: o.restaurant, CourierId: o.courier}
}

func TestEveryEventIsToldToThoseWhomItConcerns(t *testing.T) {
	k := open(t)
	in := func(minutes int) *timestamppb.Timestamp {
		return timestamppb.New(noon.Add(time.Duration(minutes) * time.Minute))
	}
	for _, c := range []struct {
		event                         func(order) proto.Message
		consumer, restaurant, courier string // title and body, empty: not told
	}{
		{order.approved, "Deine Bestellung ist aufgegeben|Wir haben sie an das Restaurant weitergeleitet.",
			"A new order waits|Please accept or reject it.", ""},
		{func(o order) proto.Message {
			return &ordersapi.OrderRejected{OrderId: o.id, ConsumerId: o.consumer, RestaurantId: o.restaurant, Reason: "card_declined"}
		}, "Deine Bestellung konnte nicht aufgegeben werden|Der Grund: die Zahlung wurde abgelehnt. Es wurde nichts berechnet.", "", ""},
		{func(o order) proto.Message {
			return &kitchenapi.TicketAccepted{OrderId: o.id, ConsumerId: o.consumer, RestaurantId: o.restaurant, ReadyBy: in(15)}
		}, "Das Restaurant hat deine Bestellung|Sie sollte in etwa 15 Min. fertig sein.", "", ""},
		{func(o order) proto.Message {
			return &kitchenapi.TicketDelayed{OrderId: o.id, ConsumerId: o.consumer, RestaurantId: o.restaurant, ReadyBy: in(0)}
		}, "Deine Bestellung dauert länger|Sie sollte jeden Moment fertig sein.", "", ""},
		{func(o order) proto.Message {
			return &deliveryapi.CourierAssigned{OrderId: o.id, ConsumerId: o.consumer, RestaurantId: o.restaurant, CourierId: o.courier}
		}, "", "", "A delivery is yours|Please go to the restaurant to pick it up."},
		{order.pickedUp, "Deine Bestellung ist unterwegs|Sie wurde abgeholt.", "", ""},
		{func(o order) proto.Message {
			return &ordersapi.OrderDelivered{OrderId: o.id, ConsumerId: o.consumer, RestaurantId: o.restaurant, Charge: euro(1505)}
		}, "Deine Bestellung ist da|Guten Appetit! Wir haben 15,05 EUR berechnet.", "", ""},
		{func(o order) proto.Message {
			return &ordersapi.OrderCancelled{OrderId: o.id, ConsumerId: o.consumer, RestaurantId: o.restaurant, Reason: "cancelled_by_consumer", Charge: euro(200)}
		}, "Deine Bestellung wurde storniert|Der Grund: du hast sie storniert. Wir haben eine Stornogebühr von 2,00 EUR berechnet.",
			"An order was cancelled|The reason: the customer has cancelled it. Please do not prepare it.", ""},
		{func(o order) proto.Message {
			return &ordersapi.OrderCancelled{OrderId: o.id, ConsumerId: o.consumer, RestaurantId: o.restaurant, Reason: "something new", Charge: euro(0)}
		}, "Deine Bestellung wurde storniert|Es wurde nichts berechnet.", "An order was cancelled|Please do not prepare it.", ""},
		{func(o order) proto.Message {
			return &ordersapi.CancelRefused{OrderId: o.id, ConsumerId: o.consumer, RestaurantId: o.restaurant, Reason: "order_picked_up"}
		}, "Deine Bestellung läuft weiter|Sie konnte nicht mehr storniert werden: sie ist schon beim Kurier.", "", ""},
		{func(o order) proto.Message {
			return &ordersapi.OrderUndeliverable{OrderId: o.id, ConsumerId: o.consumer, RestaurantId: o.restaurant, Reason: "damaged", Charge: euro(0)}
		}, "Deine Bestellung konnte nicht zugestellt werden|Der Grund: sie wurde unterwegs beschädigt. Du bekommst deine Zahlung zurück.", "", ""},
		{func(o order) proto.Message {
			return &accountingapi.PaymentRefunded{OrderId: o.id, ConsumerId: o.consumer, RestaurantId: o.restaurant, Amount: euro(99), Reason: "for Anna"}
		}, "Du bekommst Geld zurück|Wir haben 0,99 EUR erstattet.", "", ""},
	} {
		o := k.order("de-AT")
		event := c.event(o)
		t.Run(string(event.ProtoReflect().Descriptor().Name()), func(t *testing.T) {
			k.t = t
			id := k.publish(event)
			for recipient, want := range map[string][2]string{
				o.consumer: {c.consumer, "de"}, o.restaurant: {c.restaurant, "en"}, o.courier: {c.courier, "en"},
			} {
				if want[0] == "" {
					k.awaitStates(recipient)
					continue
				}
				n := k.awaitStates(recipient, Sent)[0]
				if got := n.Text.title + "|" + n.Text.body; got != want[0] || n.Text.locale != want[1] {
					t.Errorf("told %q in %s, want %q", got, n.Text.locale, want[0])
				}
				if n.EventID != id || n.OrderID != o.id || !strings.HasSuffix(n.About, "."+string(event.ProtoReflect().Descriptor().Name())) || !n.CreatedAt.Equal(noon) {
					t.Errorf("notification %+v", n)
				}
			}
		})
	}
	k.t = t
}

func TestWhatAConsumerHasMutedIsSuppressed(t *testing.T) {
	k := open(t)
	muted, other := k.order("en", "email", "in_app"), k.order("en", "email")
	k.publish(muted.approved())
	k.publish(other.approved())
	if n := k.awaitStates(muted.consumer, Suppressed)[0]; n.Text != (text{}) {
		t.Errorf("a text was kept: %+v", n.Text)
	}
	k.awaitStates(other.consumer, Sent)
}

func TestAConsumerWhoIsGoneCannotBeTold(t *testing.T) {
	k := open(t)
	gone := order{ids.New(), ids.New(), ids.New(), ids.New()}
	k.publish(gone.approved())
	if n := k.awaitStates(gone.consumer, Failed)[0]; n.Text != (text{}) {
		t.Errorf("a text was kept: %+v", n.Text)
	}
	k.awaitStates(gone.restaurant, Sent)
	k.awaitIdle() // and nobody tries again
}

func TestAConsumerIsToldOnceConsumersIsBack(t *testing.T) {
	k := open(t)
	o := k.order("en")
	k.contacts.down = 5
	k.publish(o.approved())
	await(t, "the question was repeated", func() bool {
		k.clock.Advance(50 * time.Millisecond)
		return k.all(o.consumer) != nil && k.all(o.consumer)[0].State == Sent
	})
	if k.contacts.calls != 6 {
		t.Errorf("consumers was asked %d times", k.contacts.calls)
	}
	k.awaitStates(o.consumer, Sent)
}

func TestACrashBetweenQuestionAndRecordTellsOnce(t *testing.T) {
	k := open(t)
	o := k.order("en")
	crashed := false
	k.contacts.asked = func() { // the answer cannot be recorded: the lease is another's, as if the process had died
		if crashed {
			return
		}
		crashed = true
		err := k.db.Write(context.Background(), func(_ context.Context, tx *database.Tx) error {
			_, err := tx.Exec(`UPDATE work SET lease = lease + 1 WHERE lease <> 0`)
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
	k.publish(o.approved())
	await(t, "consumers was asked", func() bool { k.contacts.mu.Lock(); defer k.contacts.mu.Unlock(); return crashed })
	k.stop()
	k.awaitStates(o.consumer, Pending)
	k.clock.Advance(2 * time.Minute) // the dead process's lease runs out
	k.start(k.db)
	k.awaitStates(o.consumer, Sent)
	k.awaitIdle()
	if k.contacts.calls != 2 {
		t.Errorf("consumers was asked %d times", k.contacts.calls)
	}
}

// All that is published while consumers is asked is told, and a burst with fewer questions than notifications.
func TestABurstIsToldWhollyAndInOrder(t *testing.T) {
	k := open(t)
	consumer := k.consumer("en")
	hold := make(chan struct{})
	k.contacts.asked = func() { <-hold }
	const n = 2*tellBatch + 50
	var want []string
	for range n {
		want = append(want, k.publish(order{ids.New(), consumer, "", ids.New()}.pickedUp()))
	}
	await(t, "all is written down", func() bool { return len(k.all(consumer)) == n })
	close(hold)
	k.awaitIdle()
	for i, got := range k.all(consumer) {
		if got.State != Sent || got.EventID != want[i] {
			t.Fatalf("notification %d is %s of %s, want %s", i, got.State, got.EventID, want[i])
		}
	}
	if k.contacts.calls > 5 {
		t.Errorf("%d questions for a burst of %d", k.contacts.calls, n)
	}
}

func TestAnEventThatConcernsNobodyTellsNobody(t *testing.T) {
	k := open(t)
	k.publish(&ordersapi.OrderApproved{OrderId: ids.New()})
	o := k.order("en")
	k.publish(o.approved())
	k.awaitStates(o.consumer, Sent)
	k.awaitStates("")
}

func TestANotificationEndsOnce(t *testing.T) {
	want := map[string]State{}
	for _, s := range states {
		for _, trigger := range triggers {
			want[fmt.Sprint(s, trigger)] = s // an end stays
		}
	}
	want[fmt.Sprint(Pending, Told)] = Sent
	want[fmt.Sprint(Pending, Muted)] = Suppressed
	want[fmt.Sprint(Pending, Missing)] = Failed
	for _, s := range states {
		for _, trigger := range triggers {
			n := &Notification{State: s}
			n.answer(trigger, text{title: "told"})
			if n.State != want[fmt.Sprint(s, trigger)] {
				t.Errorf("%s on %s is %s", trigger, s, n.State)
			}
			if (n.Text.title != "") != (n.State == Sent) {
				t.Errorf("%s on %s has the text %q", trigger, s, n.Text.title)
			}
		}
	}
}
