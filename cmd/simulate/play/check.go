package play

import (
	"context"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"kerf/cmd/simulate/api"
	"kerf/cmd/simulate/rules"
)

// check compares what the server says with what was asked of it and with itself. It returns the orders' pages too, in the order of the day; zero
// where there is none.
func (p *play) check(ctx context.Context, after rules.Books) (*rules.Found, []api.OrderPage, error) {
	found, pages := rules.NewFound(), make([]api.OrderPage, len(p.diners))
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, d := range p.diners {
		if d.order.id != "" {
			group.Go(func() error { return p.checkOrder(groupCtx, found, d, &pages[i]) })
		}
	}
	if err := group.Wait(); err != nil {
		return nil, nil, err
	}
	foreign, err := p.checkAsked(ctx, found)
	if err != nil {
		return nil, nil, err
	}
	if err := found.Charges(ctx, p.staff, func(orderID string) bool { return p.holders.diner(orderID) != nil }); err != nil {
		return nil, nil, err
	}
	if err := p.checkRepeats(ctx, found); err != nil {
		return nil, nil, err
	}
	for _, clash := range p.holders.clashes {
		found.Violated("I6", "%s", clash)
	}
	found.Books(rules.Run{Before: p.before, After: after, Imbalances: p.imbalances, Foreign: foreign > 0, Currency: currency})
	return found, pages, nil
}

// checkOrder reads an order's page and its view.
func (p *play) checkOrder(ctx context.Context, found *rules.Found, d *diner, page *api.OrderPage) error {
	if err := d.api.Get(ctx, "/v1/orders/"+d.order.id, page); api.Absent(err) {
		found.Violated("I1", "order %s was acknowledged and does not exist", d.order.id)
		return nil
	} else if err != nil {
		return err
	}
	o := page.Order
	if len(page.Missing) > 0 {
		return fmt.Errorf("the page of order %s misses %s", d.order.id, strings.Join(page.Missing, ", "))
	}
	if d.order.end != "" && o.State != d.order.end {
		found.Violated("I7", "order %s had ended as %s, and is %s", o.ID, d.order.end, o.State)
	}
	if !api.Ended(o.State) {
		found.Violated("I9", "order %s does not end: it is %s", o.ID, o.State)
	}
	found.Page(*page, d.asked())
	told := p.watch.told(o.ID)
	found.Tracked(o.ID, told)
	var view api.View
	if err := p.staff.Get(ctx, "/v1/tracking/"+o.ID, &view); api.Absent(err) {
		found.Violated("I8", "order %s has no view", o.ID)
		return nil
	} else if err != nil {
		return err
	}
	found.View(*page, view, told)
	return nil
}

// asked is what the diner has asked for.
func (d *diner) asked() rules.Placed {
	return rules.Placed{ID: d.order.id, QuoteID: d.order.quoteID, ConsumerID: d.api.Subject(), Refused: d.order.refused}
}

// checkAsked lists the orders placed since the day began, and returns how many of them are other people's.
func (p *play) checkAsked(ctx context.Context, found *rules.Found) (foreign int, err error) {
	ours, placed := map[string]bool{}, []rules.Placed{}
	for _, d := range p.diners {
		ours[d.api.Subject()] = true
		placed = append(placed, d.asked())
	}
	// The two clocks agree to some milliseconds of the wall, which are seconds of the domain at a high speed.
	since := p.start.Add(-time.Duration(p.clock.Speed() * float64(time.Second)))
	_, foreign, err = found.Asked(ctx, p.staff, since, func(consumerID string) bool { return ours[consumerID] }, placed)
	return foreign, err
}

// repeats is how many of the day's orders are sent again at its end.
const repeats = 25

// checkRepeats sends some of the requests that placed orders again: as they were, and with another body.
func (p *play) checkRepeats(ctx context.Context, found *rules.Found) error {
	step := max(1, len(p.diners)/repeats)
	for i := 0; i < len(p.diners); i += step {
		d := p.diners[i]
		if d.order.id == "" {
			continue
		}
		sent := rules.Sent{OrderID: d.order.id, Key: d.order.key, Body: d.order.body, Answer: d.order.answer}
		if err := found.Repeat(ctx, d.api, sent); err != nil {
			return err
		}
	}
	return nil
}
