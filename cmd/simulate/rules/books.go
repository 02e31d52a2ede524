package rules

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"kerf/cmd/simulate/api"
	"kerf/platform/money"
)

// Books are what the server counts of itself.
type Books struct {
	Audits map[string]api.Audit // by module
	Ledger api.Ledger
}

// ReadBooks asks for them, as an administrator.
func ReadBooks(ctx context.Context, staff *api.Caller) (Books, error) {
	b := Books{Audits: map[string]api.Audit{}}
	var list struct {
		Modules []string `json:"modules"`
	}
	if err := staff.Get(ctx, "/v1/audit", &list); err != nil {
		return b, err
	}
	for _, module := range list.Modules {
		var a api.Audit
		if err := staff.Get(ctx, "/v1/audit/"+module, &a); err != nil {
			return b, err
		}
		b.Audits[module] = a
	}
	return b, staff.Get(ctx, "/v1/ledger", &b.Ledger)
}

// Written is how many events there are in all.
func (b Books) Written() (n int64) {
	for _, a := range b.Audits {
		n += a.Written
	}
	return n
}

// AwaitQuiet reads the books every so often until nothing is under way, or until patience has passed, and returns what it read last.
func AwaitQuiet(ctx context.Context, staff *api.Caller, every, patience time.Duration) (Books, error) {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for {
		b, err := ReadBooks(ctx, staff)
		if err != nil || len(b.Unquiet()) == 0 {
			return b, err
		}
		timer := time.NewTimer(every)
		select {
		case <-timer.C:
		case <-limit.C:
			timer.Stop()
			return b, nil
		case <-ctx.Done():
			timer.Stop()
			return b, context.Cause(ctx)
		}
	}
}

// Unquiet says what is under way. Timers are not: they wait for what should not happen. Nor is what was parked: it waits for an operator,
// and is a violation.
func (b Books) Unquiet() []string {
	var says []string
	for module, a := range b.Audits {
		if a.Published != a.Written || a.Settled != a.Written {
			says = append(says, fmt.Sprintf("%s wrote %d events, of which %d are published and %d settled", module, a.Written, a.Published, a.Settled))
		}
		for source, consumed := range a.Consumed {
			published := b.Audits[source].Published
			if consumed+a.Parked+a.Dropped < published {
				says = append(says, fmt.Sprintf("%s handled %d of the %d events of %s", module, consumed, published, source))
			}
		}
	}
	for _, c := range []struct{ module, counter string }{{"orders", "sagas_open"}, {"accounting", "operations_unfinished"}} {
		if n := b.Audits[c.module].Counters[c.counter]; n > 0 {
			says = append(says, fmt.Sprintf("%s: %s is %d", c.module, c.counter, n))
		}
	}
	slices.Sort(says)
	return says
}

// OpenOrders is how many orders go on, whoever's they are.
func (b Books) OpenOrders() (open int64) {
	for _, state := range []string{"pending", "approved", "accepted", "preparing", "ready", "picked_up", "cancel_pending"} {
		open += b.Audits["orders"].Counters["orders_"+state]
	}
	return open
}

// Net is what was captured and not given back, in minor units of a currency.
func (b Books) Net(currency string) int64 {
	return sumOf(b.Ledger.Captured, currency) - sumOf(b.Ledger.Refunded, currency)
}

func sumOf(amounts []money.Money, currency string) (sum int64) {
	for _, m := range amounts {
		if m.Currency == currency {
			sum += m.Amount
		}
	}
	return sum
}

// Run is what is known of the orders between two readings of the books.
type Run struct {
	Before, After Books
	// Imbalances of the ledger, as read meanwhile.
	Imbalances []int64
	// Foreign says that there are orders besides the run's, so that sums over all orders tell nothing of it.
	Foreign  bool
	Currency string
	// Of the orders that have not ended: how many authorisations they hold, and what was captured for them and not given back.
	Held, Kept int64
}

// Books reports what the modules count and must not.
func (f *Found) Books(run Run) {
	after := run.After
	must := func(id, module, counter string, want int64) {
		if n, counted := after.Audits[module].Counters[counter]; counted && n != want {
			f.Violated(id, "%s: %s is %d, not %d", module, counter, n, want)
		}
	}
	must("I3", "accounting", "orders_charged_twice", 0)
	must("I3", "accounting", "provider_orders_charged_twice", 0)
	must("I5", "accounting", "payments_off_ledger", 0)
	must("I6", "delivery", "courier_disagreements", 0)
	must("I9", "orders", "sagas_stuck", 0)
	for _, imbalance := range append(slices.Clone(run.Imbalances), after.Ledger.Imbalance) {
		if imbalance != 0 {
			f.Violated("I5", "the ledger is off by %d", imbalance)
		}
	}
	for module, a := range after.Audits {
		if a.Parked > 0 {
			f.Violated("I10", "%s has parked %d messages", module, a.Parked)
		}
		if a.Dropped > run.Before.Audits[module].Dropped {
			f.Violated("I10", "%s has dropped %d messages", module, a.Dropped)
		}
		if a.WorkStuck > 0 {
			f.Violated("I9", "%s has %d pieces of work that keep failing", module, a.WorkStuck)
		}
	}
	if run.Foreign || run.Before.OpenOrders() > 0 {
		return
	}
	for _, what := range after.Unquiet() {
		f.Violated(invariantOf(what), "not quiet: %s", what)
	}
	must("I12", "accounting", "authorisations_held", run.Held)
	must("I12", "accounting", "provider_authorisations_held", run.Held)
	counter := "charges_" + run.Currency
	charges := after.Audits["orders"].Counters[counter] - run.Before.Audits["orders"].Counters[counter]
	if kept := after.Net(run.Currency) - run.Before.Net(run.Currency) - run.Kept; kept != charges {
		f.Violated("I5", "the ledger kept %d, and the orders' ends charge %d", kept, charges)
	}
}

// invariantOf says which invariant Unquiet speaks of.
func invariantOf(what string) string {
	if strings.Contains(what, "sagas_open") || strings.Contains(what, "operations_unfinished") {
		return "I9"
	}
	return "I10"
}
