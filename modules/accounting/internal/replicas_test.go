package internal

import (
	"sync"
	"testing"
	"time"

	"kerf/platform/clock"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
)

// Whichever process a saga's commands and their repeats come to, the provider is told once what moves money, and the books say what it did.
func TestTwoProcessesMoveMoneyOnce(t *testing.T) {
	a, b := databasetest.OpenTwo(t, "accounting")
	clk := clock.NewManual(noon)
	banks := []*bank{openOn(t, a, clk, 400*time.Millisecond), openOn(t, b, clk, 400*time.Millisecond)}
	one := banks[0]
	const orders = 12
	var sagas sync.WaitGroup
	for i := range orders {
		o := newOrder()
		token := []string{"tok_approve", "tok_unknown", "tok_lost"}[i%3]
		for turn := range 2 { // the second repeats what the first asks, elsewhere
			sagas.Go(func() {
				step := func(n int, command func(*bank) error) {
					for try := range 1000 {
						err := command(banks[(i+turn+n+try)%2])
						if err == nil {
							return
						}
						if fault.Definite(err) && fault.As(err).Code != "payment_not_found" {
							t.Errorf("step %d of an order with %s: %v", n, token, err)
							return
						}
						clk.Advance(20 * time.Millisecond)
					}
					t.Errorf("step %d of an order with %s has no end", n, token)
				}
				step(0, func(b *bank) error { return b.authorize(o, token) })
				step(1, func(b *bank) error { return b.capture(o) })
				step(2, func(b *bank) error { return b.giveBack(o, o.id+":r", 100, "goodwill") })
			})
		}
	}
	sagas.Wait()
	one.quiet()
	one.wantBooks(orders*total, orders*100, 0)
	banks[1].wantBooks(orders*total, orders*100, 0)
}

// What a process told the provider, and did not live to hear the answer of, is looked up by another.
func TestAnotherProcessLooksUpWhatOneDidNotHear(t *testing.T) {
	a, b := databasetest.OpenTwo(t, "accounting")
	clk := clock.NewManual(noon)
	one, other := openOn(t, a, clk, 400*time.Millisecond), openOn(t, b, clk, 400*time.Millisecond)
	var orders []order
	for range 4 {
		o := newOrder()
		if err := one.authorize(o, "tok_unknown"); fault.KindOf(err) != fault.KindUnknown {
			t.Fatalf("authorised: %v", err)
		}
		orders = append(orders, o)
	}
	one.stop()
	other.quiet()
	for _, o := range orders {
		other.wantState(o, Authorized)
		other.wantCharges(o, "held")
		other.wantFacts(o, "PaymentAuthorized")
	}
}
