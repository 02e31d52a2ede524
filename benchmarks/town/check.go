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
	quietPoll = 50 * time.Millisecond
	// defaultSettling is how long a check waits for what it found to go away: an order that moved while it was looked at.
	defaultSettling = 3 * time.Second
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
	listed, foreign, err := t.checkAsked(ctx, found, all)
	if err != nil {
		return nil, nil, fmt.Errorf("checking the list of orders: %w", err)
	}
	rest, err := t.checkOrders(ctx, found, all, listed)
	if err != nil {
		return nil, nil, fmt.Errorf("checking the orders: %w", err)
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
	after, err := rules.AwaitQuiet(ctx, t.staff, quietPoll, t.settling)
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
func (t *Town) checkOrders(ctx context.Context, found *rules.Found, all []*order, listed map[string]string) (r rest, err error) {
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
		if view.Order != nil && view.Order.PlacedAt.Before(t.since) { // the newest come first
			break
		}
		views[view.OrderID] = view
	}
	pages := make([]api.OrderPage, len(all))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, o := range all {
		asked := t.asked(o)
		if asked.ID == "" { // the server's answer was lost; the order may be there
			asked.ID = listed[o.quoteID]
		}
		if asked.ID != "" {
			group.Go(func() error { return t.checkOrder(groupCtx, found, o, asked, views[asked.ID], &pages[i]) })
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

// checkOrder holds an order against what was asked, and its view, as it was listed, against its page.
func (t *Town) checkOrder(ctx context.Context, found *rules.Found, o *order, asked rules.Placed, view api.View, page *api.OrderPage) error {
	var told rules.Track
	limit := time.Now().Add(t.settling)
	for first := true; ; first = false {
		*page = api.OrderPage{}
		err := o.diner.api.Get(ctx, "/v1/orders/"+asked.ID, page)
		if api.Absent(err) {
			found.Violated("I1", "order %s was acknowledged and does not exist", asked.ID)
			return nil
		} else if err != nil {
			return err
		}
		if !first || view.OrderID == "" {
			view = api.View{}
			if err := t.staff.Get(ctx, "/v1/tracking/"+asked.ID, &view); err != nil && !api.Absent(err) {
				return err
			}
		}
		told = t.live.told(asked.ID)
		if settled(*page, view, told) || time.Now().After(limit) {
			break
		}
	}
	if len(page.Missing) > 0 {
		return fmt.Errorf("the page of order %s misses %s", asked.ID, strings.Join(page.Missing, ", "))
	}
	if moving(page.Order.State) {
		found.Violated("I9", "order %s does not get on: it is %s", asked.ID, page.Order.State)
	}
	if o.id != "" && page.Order.Total.Amount != o.total {
		found.Violated("I1", "order %s was acknowledged for %d, and costs %d", asked.ID, o.total, page.Order.Total.Amount)
	}
	found.Page(*page, asked)
	found.Tracked(asked.ID, told)
	if view.OrderID != asked.ID {
		found.Violated("I8", "order %s has no view", asked.ID)
		return nil
	}
	found.View(*page, view, told)
	return nil
}

// settled tells whether nothing is to be seen of an order on its way from one state to another.
func settled(page api.OrderPage, view api.View, told rules.Track) bool {
	return view.OrderID == page.Order.ID && len(page.Missing) == 0 && !moving(page.Order.State) && told.Sequence <= view.Sequence && len(rules.Differences(page, view)) == 0
}

// moving tells whether an order is in a state that it leaves by itself.
func moving(state string) bool { return state == "PENDING" || state == "CANCEL_PENDING" }

func (t *Town) asked(o *order) rules.Placed {
	return rules.Placed{ID: o.id, QuoteID: o.quoteID, ConsumerID: o.diner.api.Subject(), Refused: o.refused}
}

// checkAsked holds the server's list of orders against what was asked. It returns the ids of those that are there, by quote, and how many are other people's.
func (t *Town) checkAsked(ctx context.Context, found *rules.Found, all []*order) (listed map[string]string, foreign int, err error) {
	ours, placed := map[string]bool{}, make([]rules.Placed, 0, len(all))
	for _, d := range t.diners {
		ours[d.api.Subject()] = true
	}
	for _, o := range all {
		placed = append(placed, t.asked(o))
	}
	return found.Asked(ctx, t.staff, t.since, func(consumerID string) bool { return ours[consumerID] }, placed)
}
