package internal

import (
	"math/rand/v2"
	"strconv"
	"sync"
	"testing"

	"kerf/platform/clock"
	"kerf/platform/fault"
)

// Random commands on many orders at once, with every way in which the provider misbehaves, and restarts in between: when all is quiet
// the provider has charged, given back and released exactly what the books say.
func TestTheBooksAgreeWithTheProviderWhateverHappens(t *testing.T) {
	b := openIn(t, t.TempDir(), clock.NewManual(noon), patience()/4)
	tokens := []string{"tok_approve", "tok_approve", "tok_decline", "tok_slow", "tok_timeout", "tok_lost", "tok_unknown", "tok_unknown_declined",
		"tok_late", "tok_late_declined", "tok_capture_timeout", "tok_capture_unknown", "tok_void_unknown", "tok_refund_unknown", "tok_expire"}
	reasons := []string{"late", "missing_item", "order_reversed"}
	random := rand.New(rand.NewPCG(5, 6))
	type paid struct {
		order
		token string
	}
	var orders []paid
	for i := range 45 {
		orders = append(orders, paid{newOrder(), tokens[i%len(tokens)]})
	}
	for range 3 {
		var wg sync.WaitGroup
		for _, o := range orders {
			seed := random.Uint64()
			wg.Go(func() {
				random := rand.New(rand.NewPCG(seed, 0))
				for range 4 {
					var err error
					switch random.IntN(6) {
					case 0, 1:
						err = b.authorize(o.order, o.token)
					case 2:
						err = b.capture(o.order)
					case 3:
						err = b.captureFee(o.order, 1+random.Int64N(total))
					case 4:
						err = b.void(o.order)
					case 5:
						err = b.giveBack(o.order, o.id+strconv.Itoa(random.IntN(3)), 100, reasons[random.IntN(len(reasons))])
					}
					if kind := fault.KindOf(err); kind == fault.KindInternal || kind == fault.KindUnavailable {
						t.Errorf("%s: %v", o.token, err)
					}
				}
			})
		}
		wg.Wait()
		b = b.restart()
	}
	b.quiet()
	books := b.audit()
	b.wantBooks(books["captured_sum"], books["refunded_sum"], books["authorisations_held"])
	if books["captured_sum"] == 0 || books["refunded_sum"] == 0 {
		t.Errorf("nothing happened: %v", books)
	}
	for _, o := range orders { // the end of every order lets go of what is held
		if err := b.void(o.order); err != nil && fault.As(err).Code != "already_captured" && fault.As(err).Code != "provider_unanswered" {
			t.Errorf("%s: %v", o.token, err)
		}
		b.quiet()
	}
	b.wantBooks(books["captured_sum"], books["refunded_sum"], 0)
}
