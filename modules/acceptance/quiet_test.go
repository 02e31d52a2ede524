package acceptance

import (
	"fmt"
	"strings"
	"testing"
)

// audit is what a module says of itself.
type audit struct {
	Module                      string
	Written, Published, Settled int64
	Consumed                    map[string]int64
	Parked, Dropped             int64
	WorkStuck                   int64 `json:"work_stuck"`
	Counters                    map[string]int64
}

// hears says who listens to whom: what tells that events are lost, if counts do not fit.
var hears = map[string][]string{
	"kitchen":       {"delivery"},
	"delivery":      {"kitchen"},
	"orders":        {"kitchen", "delivery"},
	"tracking":      {"orders", "kitchen", "delivery", "accounting"},
	"notifications": {"orders", "kitchen", "delivery", "accounting"},
}

// quiet waits until nothing moves any more, and then asserts the invariants that can be seen from outside.
func (w *world) quiet(t *testing.T) {
	t.Helper()
	c := w.city(t)
	admin := c.admin()
	var audits map[string]*audit
	eventually(t, "quiet", func() (bool, string) {
		audits = w.audits(admin)
		return unrest(audits) == "", unrest(audits)
	})
	for _, violation := range violations(audits, w.goodwill.Load()) {
		t.Error(violation)
	}
	var ledger struct{ Imbalance int64 }
	admin.get("/v1/ledger").ok(200, &ledger)
	if ledger.Imbalance != 0 {
		t.Errorf("the ledger is out of balance by %d", ledger.Imbalance)
	}
}

func (w *world) audits(admin *caller) map[string]*audit {
	var list struct{ Modules []string }
	admin.get("/v1/audit").ok(200, &list)
	found := map[string]*audit{}
	for _, module := range list.Modules {
		found[module] = &audit{}
		admin.get("/v1/audit/"+module).ok(200, found[module])
	}
	return found
}

// unrest says what still moves; empty if nothing does.
func unrest(audits map[string]*audit) string {
	var moving []string
	for name, a := range audits {
		if a.Written != a.Published || a.Published != a.Settled {
			moving = append(moving, fmt.Sprintf("%s wrote %d, published %d, settled %d", name, a.Written, a.Published, a.Settled))
		}
		for _, counter := range []string{"sagas_open", "operations_unfinished", "authorisations_held", "notifications_pending"} {
			if n := a.Counters[counter]; n != 0 {
				moving = append(moving, fmt.Sprintf("%s: %s %d", name, counter, n))
			}
		}
		for counter, n := range a.Counters {
			state, ok := strings.CutPrefix(counter, "orders_")
			if ok && n > 0 && name == "orders" && !terminal[strings.ToUpper(state)] {
				moving = append(moving, fmt.Sprintf("%d orders are %s", n, state))
			}
		}
	}
	for listener, sources := range hears {
		for _, source := range sources {
			if audits[listener] == nil || audits[source] == nil {
				return listener + " or " + source + " has no audit"
			}
			// What an operator dropped is handled, too; that nothing had to be is checked where it is expected.
			if got, want := audits[listener].Consumed[source], audits[source].Published; got != want && got+audits[listener].Dropped != want {
				moving = append(moving, fmt.Sprintf("%s consumed %d of the %d of %s", listener, got, want, source))
			}
		}
	}
	return strings.Join(moving, "; ")
}

// violations are the invariants that do not hold.
func violations(audits map[string]*audit, goodwill int64) (broken []string) {
	for name, a := range audits {
		if a.Parked != 0 || a.Dropped != 0 || a.WorkStuck != 0 {
			broken = append(broken, fmt.Sprintf("%s has %d messages parked, %d dropped, %d pieces of work stuck", name, a.Parked, a.Dropped, a.WorkStuck))
		}
	}
	orders, books := audits["orders"].Counters, audits["accounting"].Counters
	for name, n := range map[string]int64{
		"sagas that are stuck":                     orders["sagas_stuck"],
		"sagas that met what no contract foresees": orders["saga_anomalies"],
		"imbalance":                                   books["ledger_imbalance"],
		"orders charged twice":                        books["orders_charged_twice"],
		"orders charged twice at the provider":        books["provider_orders_charged_twice"],
		"payments unlike the ledger":                  books["payments_off_ledger"],
		"authorisations held":                         books["authorisations_held"],
		"authorisations held at the provider":         books["provider_authorisations_held"],
		"charges of the provider less the ledger's":   books["provider_captured_sum"] - books["captured_sum"],
		"refunds of the provider less the ledger's":   books["provider_refunded_sum"] - books["refunded_sum"],
		"money kept less what orders and grace allow": books["captured_sum"] - books["refunded_sum"] - (orders["charges_EUR"] - goodwill),
	} {
		if n != 0 {
			broken = append(broken, fmt.Sprintf("%s: %d", name, n))
		}
	}
	return broken
}
