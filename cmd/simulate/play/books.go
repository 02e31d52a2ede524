package play

import (
	"context"
	"fmt"
	"time"

	"kerf/cmd/simulate/api"
)

// books are what the server counts of itself.
type books struct {
	audits map[string]api.Audit // by module
	ledger api.Ledger
	quiet  bool
}

func (p *play) readBooks(ctx context.Context) (books, error) {
	b := books{audits: map[string]api.Audit{}}
	var list struct {
		Modules []string `json:"modules"`
	}
	if err := p.staff.Get(ctx, "/v1/audit", &list); err != nil {
		return b, err
	}
	for _, module := range list.Modules {
		var a api.Audit
		if err := p.staff.Get(ctx, "/v1/audit/"+module, &a); err != nil {
			return b, err
		}
		b.audits[module] = a
	}
	if err := p.staff.Get(ctx, "/v1/ledger", &b.ledger); err != nil {
		return b, err
	}
	b.quiet = len(b.unquiet()) == 0
	return b, nil
}

// unquiet says what is under way. Timers are not: they wait for what should not happen. Nor is what was parked: it waits for an operator,
// and is a violation.
func (b books) unquiet() []string {
	var says []string
	for module, a := range b.audits {
		if a.Published != a.Written || a.Settled != a.Written {
			says = append(says, fmt.Sprintf("%s wrote %d events, of which %d are published and %d settled", module, a.Written, a.Published, a.Settled))
		}
		for source, consumed := range a.Consumed {
			published := b.audits[source].Published
			if consumed+a.Parked+a.Dropped < published {
				says = append(says, fmt.Sprintf("%s handled %d of the %d events of %s", module, consumed, published, source))
			}
		}
	}
	for _, c := range []struct{ module, counter string }{{"orders", "sagas_open"}, {"accounting", "operations_unfinished"}} {
		if n := b.audits[c.module].Counters[c.counter]; n > 0 {
			says = append(says, fmt.Sprintf("%s: %s is %d", c.module, c.counter, n))
		}
	}
	return says
}

// openOrders is how many orders go on, whoever's they are.
func (b books) openOrders() (open int64) {
	for _, state := range []string{"pending", "approved", "accepted", "preparing", "ready", "picked_up", "cancel_pending"} {
		open += b.audits["orders"].Counters["orders_"+state]
	}
	return open
}

// net is what was captured and not given back, in minor units of the day's currency.
func (b books) net() int64 {
	return sumOf(b.ledger.Captured) - sumOf(b.ledger.Refunded)
}

// awaitQuiet waits until nothing is under way, or until patience ends.
func (p *play) awaitQuiet(ctx context.Context) (books, error) {
	patience, cancel := context.WithTimeout(ctx, p.config.Patience)
	defer cancel()
	for {
		b, err := p.readBooks(ctx)
		if err != nil || b.quiet {
			return b, err
		}
		timer := time.NewTimer(2 * shortestPoll)
		select {
		case <-timer.C:
		case <-patience.Done():
			timer.Stop()
			return b, ctx.Err()
		}
	}
}
