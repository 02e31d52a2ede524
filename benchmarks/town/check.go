package town

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"kerf/cmd/simulate/api"
	"kerf/cmd/simulate/rules"
)

const (
	// quietPoll is how often the books are read while something is under way.
	quietPoll = 100 * time.Millisecond
	// settling is how long a check waits for what it found to go away: an order that moved while it was looked at.
	settling = 3 * time.Second
)

// Quiet waits until no saga is open, no event unsettled, nobody's money in an open operation and nobody still to be told, or until ctx ends: then
// the error says what is still under way. It has to be quiet twice with nothing happening between, because books are read module by module.
func (t *Town) Quiet(ctx context.Context) error {
	for before := int64(-1); ; {
		books, err := rules.ReadBooks(ctx, t.staff)
		if err != nil {
			return err
		}
		left := books.Unquiet()
		if n := books.Audits["notifications"].Counters["notifications_pending"]; n > 0 {
			left = append(left, fmt.Sprintf("notifications: %d are still to be sent", n))
		}
		switch now := books.Written(); {
		case len(left) > 0:
			before = -1
		case before == now:
			return nil
		default:
			before = now
		}
		timer := time.NewTimer(quietPoll)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return fmt.Errorf("no quiet: %s: %w", strings.Join(left, "; "), context.Cause(ctx))
		}
	}
}

// Check holds all orders that the town has placed against the invariants, as far as the public API shows them: whether their journeys ended or
// were cut off, and across restarts of the server. It is to be called when no load runs and the town is quiet. Violations are counted by
// invariant, all of which are there, and told in words, fifty of them at most. The error says that the server did not answer.
//
// Sums over all orders (I5, I12) are compared only if nobody else ordered, and nothing happened while the orders were read.
func (t *Town) Check(ctx context.Context) (violations map[string]int, told []string, err error) {
	found, all := rules.NewFound(), t.orders.snapshot()
	rest, err := t.checkOrders(ctx, found, all)
	if err != nil {
		return nil, nil, fmt.Errorf("checking the orders: %w", err)
	}
	foreign, err := t.checkAsked(ctx, found, all)
	if err != nil {
		return nil, nil, fmt.Errorf("checking the list of orders: %w", err)
	}
	if err := found.Charges(ctx, t.staff, func(orderID string) bool { return t.orders.find(orderID) != nil }); err != nil {
		return nil, nil, fmt.Errorf("checking the ledger: %w", err)
	}
	for _, o := range all {
		if o.sent == nil {
			continue
		}
		if err := found.Repeat(ctx, o.diner.api, *o.sent); err != nil {
			return nil, nil, fmt.Errorf("repeating requests: %w", err)
		}
	}
	after, err := rules.AwaitQuiet(ctx, t.staff, quietPoll, settling)
	if err != nil {
		return nil, nil, err
	}
	found.Books(rules.Run{
		Before: t.before, After: after, Currency: currency, Held: rest.held, Kept: rest.kept,
		Foreign: foreign > 0 || after.Written() != rest.written,
	})
	return found.Violations(), found.Told(), nil
}

// rest is what is known of the orders that have not ended.
type rest struct {
	held, kept int64 // authorisations, and what was captured for them
	written    int64 // events, before the orders were read
}

// checkOrders reads each order's page, and all views.
func (t *Town) checkOrders(ctx context.Context, found *rules.Found, all []*order) (r rest, err error) {
	before, err := rules.ReadBooks(ctx, t.staff)
	if err != nil {
		return r, err
	}
	r.written = before.Written()
	views := map[string]api.View{}
	for view, err := range api.All[api.View](ctx, t.staff, "/v1/tracking?limit=100") {
		if err != nil {
			return r, err
		}
		views[view.OrderID] = view
	}
	pages := make([]api.OrderPage, len(all))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, o := range all {
		if o.id != "" {
			group.Go(func() error { return t.checkOrder(groupCtx, found, o, views, &pages[i]) })
		}
	}
	if err := group.Wait(); err != nil {
		return r, err
	}
	for _, page := range pages {
		if page.Payment == nil || api.Ended(page.Order.State) {
			continue
		}
		if page.Payment.State == "AUTHORIZED" {
			r.held++
		}
		r.kept += page.Payment.Captured.Amount - page.Payment.Refunded.Amount
	}
	return r, nil
}

// checkOrder holds an order against what was asked, and its view against its page.
func (t *Town) checkOrder(ctx context.Context, found *rules.Found, o *order, views map[string]api.View, page *api.OrderPage) error {
	view, viewed := views[o.id]
	var told rules.Track
	limit := time.Now().Add(settling)
	for first := true; ; first = false {
		err := o.diner.api.Get(ctx, "/v1/orders/"+o.id, page)
		if api.Absent(err) {
			found.Violated("I1", "order %s was acknowledged and does not exist", o.id)
			return nil
		} else if err != nil {
			return err
		}
		if !first || !viewed {
			view = api.View{}
			err := t.staff.Get(ctx, "/v1/tracking/"+o.id, &view)
			if viewed = err == nil; err != nil && !api.Absent(err) {
				return err
			}
		}
		told = t.live.told(o.id)
		if settled(*page, view, viewed, told) || time.Now().After(limit) {
			break
		}
		*page = api.OrderPage{}
	}
	if len(page.Missing) > 0 {
		return fmt.Errorf("the page of order %s misses %s", o.id, strings.Join(page.Missing, ", "))
	}
	if moving(page.Order.State) {
		found.Violated("I9", "order %s does not get on: it is %s", o.id, page.Order.State)
	}
	if page.Order.Total.Amount != o.total {
		found.Violated("I1", "order %s was acknowledged for %d, and costs %d", o.id, o.total, page.Order.Total.Amount)
	}
	found.Page(*page, t.asked(o))
	found.Tracked(o.id, told)
	if !viewed {
		found.Violated("I8", "order %s has no view", o.id)
		return nil
	}
	found.View(*page, view, told)
	return nil
}

// settled tells whether nothing is to be seen of an order on its way from one state to another.
func settled(page api.OrderPage, view api.View, viewed bool, told rules.Track) bool {
	return viewed && len(page.Missing) == 0 && !moving(page.Order.State) && told.Sequence <= view.Sequence && len(rules.Differences(page, view)) == 0
}

// moving tells whether an order is in a state that it leaves by itself.
func moving(state string) bool { return state == "PENDING" || state == "CANCEL_PENDING" }

func (t *Town) asked(o *order) rules.Placed {
	return rules.Placed{ID: o.id, QuoteID: o.quoteID, ConsumerID: o.diner.api.Subject(), Refused: o.refused}
}

// checkAsked holds the server's list of orders against what was asked, and returns how many are other people's.
func (t *Town) checkAsked(ctx context.Context, found *rules.Found, all []*order) (foreign int, err error) {
	ours, placed := map[string]bool{}, make([]rules.Placed, 0, len(all))
	for _, d := range t.diners {
		ours[d.api.Subject()] = true
	}
	for _, o := range all {
		placed = append(placed, t.asked(o))
	}
	return found.Asked(ctx, t.staff, t.since, func(consumerID string) bool { return ours[consumerID] }, placed)
}
