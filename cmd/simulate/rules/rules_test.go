package rules

import (
	"testing"

	"kerf/cmd/simulate/api"
	"kerf/platform/money"
)

func eur(n int64) money.Money { return money.Money{Amount: n, Currency: "EUR"} }

func ptr[T any](v T) *T { return &v }

// expect fails the test unless this and nothing else was found; "" is nothing.
func (f *Found) expect(t *testing.T, what, invariant string) {
	t.Helper()
	for id, n := range f.Violations() {
		if (n > 0) != (id == invariant) {
			t.Errorf("%s: found %v, told %q", what, f.Violations(), f.Told())
			return
		}
	}
	if f.Clean() != (invariant == "") {
		t.Errorf("%s: clean is %v", what, f.Clean())
	}
}

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
		if got := Forward(c.from, c.to); got != c.may {
			t.Errorf("%s → %s: %v", c.from, c.to, got)
		}
	}
}

func TestAStreamIsHeldAgainstItself(t *testing.T) {
	var faultless, faulty Track
	for _, track := range []*Track{&faultless, &faulty} {
		track.Hear(1, "PENDING")
		if !track.Hear(3, "READY") || track.Hear(3, "READY") {
			t.Error("news is what was not told before")
		}
	}
	found := NewFound()
	found.Tracked("o", faultless)
	found.expect(t, "an order told in order, once again", "")

	if faulty.Hear(2, "APPROVED") {
		t.Error("an old view is no news")
	}
	faulty.Hear(4, "ACCEPTED")
	found.Tracked("o", faulty)
	if v := found.Violations(); v["I7"] != 1 || v["I8"] != 1 {
		t.Errorf("found %v", v)
	}
}

func TestMoneyThatDoesNotFitIsFound(t *testing.T) {
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
		found := NewFound()
		found.Page(*page(c.change), Placed{ID: "o"})
		found.expect(t, name, c.violated)
	}
}

func TestBooksThatDoNotCloseAreFound(t *testing.T) {
	quiet := func() Books {
		return Books{Audits: map[string]api.Audit{
			"orders":     {Written: 5, Published: 5, Settled: 5, Counters: map[string]int64{"charges_EUR": 1000}},
			"tracking":   {Consumed: map[string]int64{"orders": 5}},
			"accounting": {Counters: map[string]int64{}}, "delivery": {Counters: map[string]int64{}},
		}, Ledger: api.Ledger{Captured: []money.Money{eur(1200)}, Refunded: []money.Money{eur(200)}}}
	}
	set := func(b Books, module string, change func(*api.Audit)) Books {
		a := b.Audits[module]
		change(&a)
		b.Audits[module] = a
		return b
	}
	for name, c := range map[string]struct {
		after    Books
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
		found := NewFound()
		found.Books(Run{After: c.after, Currency: "EUR"})
		found.expect(t, name, c.violated)
	}
	unbalanced := quiet()
	unbalanced.Ledger.Imbalance = 1
	found := NewFound()
	found.Books(Run{After: unbalanced, Foreign: true, Currency: "EUR"})
	found.expect(t, "a ledger that is off while others order too", "I5")

	// An order that is still on its way holds its authorisation; one that was picked up has paid, and is charged by its end only.
	cutOff := set(quiet(), "accounting", func(a *api.Audit) { a.Counters["authorisations_held"] = 2 })
	cutOff = set(cutOff, "orders", func(a *api.Audit) { a.Counters["charges_EUR"] = 700 })
	found = NewFound()
	found.Books(Run{After: cutOff, Currency: "EUR", Held: 2, Kept: 300})
	found.expect(t, "orders that go on", "")
	found = NewFound()
	found.Books(Run{After: cutOff, Currency: "EUR", Held: 1, Kept: 300})
	found.expect(t, "an authorisation of no open order", "I12")
}
