package play

import (
	"fmt"
	"slices"
	"testing"

	"kerf/cmd/simulate/api"
	"kerf/platform/money"
)

func TestStatusesMoveForward(t *testing.T) {
	for _, c := range []struct {
		from, to string
		may      bool
	}{
		{"PENDING", "APPROVED", true}, {"PENDING", "PICKED_UP", true}, {"READY", "READY", true}, {"PICKED_UP", "DELIVERED", true},
		{"PENDING", "REJECTED", true}, {"ACCEPTED", "CANCEL_PENDING", true}, {"CANCEL_PENDING", "PREPARING", true},
		{"CANCEL_PENDING", "CANCELLED", true}, {"PICKED_UP", "UNDELIVERABLE", true}, {"CANCEL_PENDING", "PICKED_UP", true},
		{"READY", "PREPARING", false}, {"APPROVED", "PENDING", false}, {"APPROVED", "REJECTED", false}, {"PICKED_UP", "CANCELLED", false},
		{"PICKED_UP", "CANCEL_PENDING", false}, {"DELIVERED", "PICKED_UP", false}, {"CANCELLED", "DELIVERED", false},
		{"CANCEL_PENDING", "PENDING", false}, {"REJECTED", "CANCELLED", false},
	} {
		if got := forward(c.from, c.to); got != c.may {
			t.Errorf("%s → %s: %v", c.from, c.to, got)
		}
	}
}

func TestTheStreamIsHeldAgainstItself(t *testing.T) {
	w := newWatch()
	tell := func(sequence int, status, state string) {
		w.hear(api.Event{Name: "view", Data: fmt.Appendf(nil, `{"order_id":"o","sequence":%d,"status":%q,"order":{"state":%q}}`, sequence, status, state)})
	}
	changed := w.changed("o")
	tell(1, "PENDING", "PENDING")
	select {
	case <-changed:
	default:
		t.Error("who waited was not woken")
	}
	if _, approved := w.view("o"); !approved.IsZero() {
		t.Error("approved while pending")
	}
	tell(2, "APPROVED", "APPROVED")
	_, approved := w.view("o")
	if approved.IsZero() {
		t.Error("not approved when the stream said so")
	}
	tell(3, "READY", "APPROVED")
	tell(3, "READY", "APPROVED") // told again
	if backwards, unordered := w.faults("o"); len(backwards)+unordered != 0 {
		t.Errorf("faults of a faultless order: %v, %d", backwards, unordered)
	}
	if _, again := w.view("o"); again != approved {
		t.Error("approved twice")
	}
	tell(2, "APPROVED", "APPROVED")
	tell(4, "ACCEPTED", "APPROVED")
	if backwards, unordered := w.faults("o"); !slices.Equal(backwards, []string{"READY → ACCEPTED"}) || unordered != 1 {
		t.Errorf("found %v and %d out of order", backwards, unordered)
	}
}

func TestMoneyThatDoesNotFitIsFound(t *testing.T) {
	eur := func(n int64) money.Money { return price(n) }
	page := func(change func(*api.OrderPage)) *api.OrderPage {
		charge := eur(1000)
		p := &api.OrderPage{
			Order:   api.Order{ID: "o", State: api.Delivered, Total: eur(1000), Charge: &charge},
			Ticket:  &api.TicketPart{State: "PICKED_UP"},
			Payment: &api.PaymentPart{State: "CAPTURED", Authorized: eur(1000), Captured: eur(1000), Refunded: eur(0)},
		}
		change(p)
		return p
	}
	for name, c := range map[string]struct {
		change   func(*api.OrderPage)
		violated string
	}{
		"as it must be":           {func(*api.OrderPage) {}, ""},
		"charged too little":      {func(p *api.OrderPage) { p.Payment.Captured = eur(999) }, "I5"},
		"charged twice the price": {func(p *api.OrderPage) { p.Payment.Captured, p.Order.Charge = eur(2000), ptr(eur(2000)) }, "I5"},
		"refunded too much":       {func(p *api.OrderPage) { p.Payment.Refunded = eur(1500) }, "I5"},
		"authorisation still held": {func(p *api.OrderPage) {
			p.Order.State, p.Order.Charge = api.Cancelled, ptr(eur(0))
			p.Payment.State, p.Payment.Captured = "AUTHORIZED", eur(0)
		}, "I12"},
		"approved without payment": {func(p *api.OrderPage) { p.Order.State, p.Payment = "APPROVED", nil }, "I12"},
		"approved without ticket":  {func(p *api.OrderPage) { p.Order.State, p.Ticket = "PREPARING", nil }, "I12"},
		"rejected without either":  {func(p *api.OrderPage) { p.Order.State, p.Ticket, p.Payment = api.Rejected, nil, nil }, ""},
		"cancelled, and voided": {func(p *api.OrderPage) {
			p.Order.State, p.Order.Charge = api.Cancelled, ptr(eur(0))
			p.Payment.State, p.Payment.Captured = "VOIDED", eur(0)
		}, ""},
	} {
		found := &checked{violations: map[string]int{}}
		checkMoney(found, page(c.change))
		if (c.violated == "") != (len(found.violations) == 0) || c.violated != "" && found.violations[c.violated] == 0 {
			t.Errorf("%s: found %v", name, found.told)
		}
	}
}

func ptr[T any](v T) *T { return &v }

func TestBooksThatDoNotCloseAreFound(t *testing.T) {
	quiet := func() books {
		return books{audits: map[string]api.Audit{
			"orders":     {Written: 5, Published: 5, Settled: 5, Counters: map[string]int64{"charges_EUR": 1000}},
			"tracking":   {Consumed: map[string]int64{"orders": 5}},
			"accounting": {Counters: map[string]int64{}}, "delivery": {Counters: map[string]int64{}},
		}, ledger: api.Ledger{Captured: []money.Money{price(1200)}, Refunded: []money.Money{price(200)}}}
	}
	set := func(b books, module string, change func(*api.Audit)) books {
		a := b.audits[module]
		change(&a)
		b.audits[module] = a
		return b
	}
	for name, c := range map[string]struct {
		after    books
		violated string
	}{
		"quiet":             {quiet(), ""},
		"unpublished":       {set(quiet(), "orders", func(a *api.Audit) { a.Written = 6 }), "I10"},
		"unheard":           {set(quiet(), "tracking", func(a *api.Audit) { a.Consumed = map[string]int64{"orders": 4} }), "I10"},
		"parked":            {set(quiet(), "tracking", func(a *api.Audit) { a.Parked = 1 }), "I10"},
		"a saga goes on":    {set(quiet(), "orders", func(a *api.Audit) { a.Counters["sagas_open"] = 1 }), "I9"},
		"charged twice":     {set(quiet(), "accounting", func(a *api.Audit) { a.Counters["orders_charged_twice"] = 1 }), "I3"},
		"still held":        {set(quiet(), "accounting", func(a *api.Audit) { a.Counters["authorisations_held"] = 1 }), "I12"},
		"couriers disagree": {set(quiet(), "delivery", func(a *api.Audit) { a.Counters["courier_disagreements"] = 1 }), "I6"},
		"charges differ":    {set(quiet(), "orders", func(a *api.Audit) { a.Counters["charges_EUR"] = 999 }), "I5"},
	} {
		found := &checked{violations: map[string]int{}}
		(&play{}).checkBooks(found, c.after, 0)
		if (c.violated == "") != (len(found.violations) == 0) || c.violated != "" && found.violations[c.violated] == 0 {
			t.Errorf("%s: found %v", name, found.told)
		}
	}
	unbalanced := quiet()
	unbalanced.ledger.Imbalance = 1
	found := &checked{violations: map[string]int{}}
	(&play{}).checkBooks(found, unbalanced, 3)
	if found.violations["I5"] == 0 {
		t.Error("a ledger that is off was not found because others order too")
	}
}

func TestACourierWithTwoOrdersIsFound(t *testing.T) {
	var h holders
	h.expect("o1", &diner{})
	h.expect("o2", &diner{})
	h.took("c1", "o1")
	h.gave("c1", "o1")
	h.took("c2", "o1")
	if len(h.clashes) != 0 {
		t.Errorf("found %v where an order was passed on", h.clashes)
	}
	h.took("c3", "o1")
	h.took("c3", "o2")
	if len(h.clashes) != 2 {
		t.Errorf("found %v", h.clashes)
	}
}

func TestPercentilesAreOfTheSortedValues(t *testing.T) {
	values := []float64{5, 1, 4, 2, 3}
	for n, want := range map[int]float64{50: 3, 90: 5, 99: 5, 1: 1} {
		if got := percentile(values, n); got != want {
			t.Errorf("p%d is %v, not %v", n, got, want)
		}
	}
	if percentile(nil, 50) != 0 || mean(nil) != 0 || mean(values) != 3 {
		t.Error("mean or nothing")
	}
}
