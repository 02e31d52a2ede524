package play

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"kerf/cmd/simulate/api"
	"kerf/platform/money"
)

// invariants are those that are counted, of the project's list. I11 is measured instead: see Report.ReadYourWrites.
var invariants = []string{"I1", "I2", "I3", "I4", "I5", "I6", "I7", "I8", "I9", "I10", "I12"}

// mostTold is how many violations are told in words.
const mostTold = 50

// checked is what was found at the end.
type checked struct {
	mu         sync.Mutex
	violations map[string]int
	told       []string
	pages      []api.OrderPage // by order of the day; zero where there is none
}

func (c *checked) violated(id, format string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.violations[id]++
	if len(c.told) < mostTold {
		c.told = append(c.told, id+": "+fmt.Sprintf(format, args...))
	}
}

// check compares what the server says with what was asked of it and with itself.
func (p *play) check(ctx context.Context, after books) (*checked, error) {
	c := &checked{violations: map[string]int{}, pages: make([]api.OrderPage, len(p.diners))}
	for _, id := range invariants {
		c.violations[id] = 0
	}
	group, groupCtx := errgroup.WithContext(ctx)
	group.SetLimit(atOnce)
	for i, d := range p.diners {
		if d.order.id != "" {
			group.Go(func() error { return p.checkOrder(groupCtx, c, i) })
		}
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	foreign, err := p.checkAsked(ctx, c)
	if err != nil {
		return nil, err
	}
	if err := p.checkCharges(ctx, c); err != nil {
		return nil, err
	}
	if err := p.checkRepeats(ctx, c); err != nil {
		return nil, err
	}
	p.checkBooks(c, after, foreign)
	return c, nil
}

// checkOrder reads an order's page and its view.
func (p *play) checkOrder(ctx context.Context, c *checked, i int) error {
	d := p.diners[i]
	page := &c.pages[i]
	if err := d.api.Get(ctx, "/v1/orders/"+d.order.id, page); api.Absent(err) {
		c.violated("I1", "order %s was acknowledged and does not exist", d.order.id)
		return nil
	} else if err != nil {
		return err
	}
	o := page.Order
	if o.QuoteID != d.order.quoteID || o.ConsumerID != d.api.Subject() {
		c.violated("I1", "order %s is not the one that was placed", d.order.id)
	}
	if len(page.Missing) > 0 {
		return fmt.Errorf("the page of order %s misses %s", d.order.id, strings.Join(page.Missing, ", "))
	}
	if d.order.end != "" && o.State != d.order.end {
		c.violated("I7", "order %s had ended as %s, and is %s", o.ID, d.order.end, o.State)
	}
	backwards, unordered := p.watch.faults(o.ID)
	for _, change := range backwards {
		c.violated("I7", "order %s changed %s", o.ID, change)
	}
	if unordered > 0 {
		c.violated("I8", "%d views of order %s came after newer ones", unordered, o.ID)
	}
	if !api.Ended(o.State) {
		c.violated("I9", "order %s does not end: it is %s", o.ID, o.State)
	}
	checkMoney(c, page)
	return p.checkView(ctx, c, page)
}

// checkMoney compares an order with its payment.
func checkMoney(c *checked, page *api.OrderPage) {
	o, pay := page.Order, page.Payment
	approved := page.Ticket != nil && o.State != "PENDING" && o.State != api.Rejected
	if line[o.State] > 0 && page.Ticket == nil {
		c.violated("I12", "order %s is %s without a ticket", o.ID, o.State)
	}
	if pay == nil {
		if approved {
			c.violated("I12", "order %s is %s without an authorisation", o.ID, o.State)
		}
		return
	}
	if approved && (pay.State == "DECLINED" || pay.State == "CREATED") {
		c.violated("I12", "order %s is %s, and its payment %s", o.ID, o.State, pay.State)
	}
	if !api.Ended(o.State) {
		return
	}
	if pay.State == "AUTHORIZED" {
		c.violated("I12", "order %s is %s, and its authorisation is still held", o.ID, o.State)
	}
	if pay.Captured.Amount > pay.Authorized.Amount || pay.Refunded.Amount > pay.Captured.Amount {
		c.violated("I5", "order %s: authorised %d, captured %d, refunded %d", o.ID, pay.Authorized.Amount, pay.Captured.Amount, pay.Refunded.Amount)
	}
	var charge int64
	if o.Charge != nil {
		charge = o.Charge.Amount
	}
	if kept := pay.Captured.Amount - pay.Refunded.Amount; kept != charge {
		c.violated("I5", "order %s is charged %d by its end, and %d was kept", o.ID, charge, kept)
	}
	if o.State == api.Delivered && charge != o.Total.Amount {
		c.violated("I5", "order %s was delivered for %d, and charged %d", o.ID, o.Total.Amount, charge)
	}
}

// checkView compares the diner's view, read anew, with the page that the owners make.
func (p *play) checkView(ctx context.Context, c *checked, page *api.OrderPage) error {
	id := page.Order.ID
	var view api.View
	if err := p.staff.Get(ctx, "/v1/tracking/"+id, &view); api.Absent(err) {
		c.violated("I8", "order %s has no view", id)
		return nil
	} else if err != nil {
		return err
	}
	differ := func(part, viewed, owned string) {
		if viewed != owned {
			c.violated("I8", "order %s: %s is %q in the view and %q with its owner", id, part, viewed, owned)
		}
	}
	differ("status", view.Status, page.Order.State)
	if view.Ticket != nil && page.Ticket != nil {
		differ("ticket", view.Ticket.State, page.Ticket.State)
	}
	if view.Delivery != nil && page.Delivery != nil {
		differ("delivery", view.Delivery.State, page.Delivery.State)
	}
	if view.Payment != nil && page.Payment != nil {
		differ("payment", view.Payment.State, page.Payment.State)
		differ("captured", fmt.Sprint(view.Payment.Captured.Amount), fmt.Sprint(page.Payment.Captured.Amount))
	}
	if last, _ := p.watch.view(id); last.Sequence > view.Sequence {
		c.violated("I8", "order %s: the view has sequence %d, and had %d", id, view.Sequence, last.Sequence)
	}
	return nil
}

// checkAsked lists the orders placed since the day began, and returns how many of them are other people's.
func (p *play) checkAsked(ctx context.Context, c *checked) (foreign int, err error) {
	diners, quotes := map[string]*diner{}, map[string]string{}
	for _, d := range p.diners {
		diners[d.api.Subject()] = d
	}
	// The two clocks agree to some milliseconds of the wall, which are seconds of the domain at a high speed.
	since := p.start.Add(-time.Duration(p.clock.Speed() * float64(time.Second)))
	query := url.Values{"limit": {"100"}, "placed_after": {since.Format(time.RFC3339Nano)}}
	for o, err := range api.All[api.Order](ctx, p.staff, "/v1/orders?"+query.Encode()) {
		if err != nil {
			return 0, err
		}
		d := diners[o.ConsumerID]
		switch {
		case d == nil:
			foreign++
		case d.order.quoteID != o.QuoteID || d.order.id != "" && d.order.id != o.ID || quotes[o.QuoteID] != "":
			c.violated("I2", "order %s was never asked for", o.ID)
		case d.order.refused != "":
			c.violated("I2", "order %s exists, though it was refused: %s", o.ID, d.order.refused)
		}
		quotes[o.QuoteID] = o.ID
	}
	for _, d := range p.diners {
		if d.order.id != "" && quotes[d.order.quoteID] == "" {
			c.violated("I1", "order %s was acknowledged and is not listed", d.order.id)
		}
	}
	return foreign, nil
}

// checkCharges counts the captures of each order in the ledger.
func (p *play) checkCharges(ctx context.Context, c *checked) error {
	captures := map[string]int{}
	for posting, err := range api.All[api.Posting](ctx, p.staff, "/v1/ledger/postings?limit=100") {
		if err != nil {
			return err
		}
		if posting.Kind == "capture" && p.holders.diner(posting.OrderID) != nil {
			captures[posting.OrderID]++
		}
	}
	for id, n := range captures {
		if n > 1 {
			c.violated("I3", "order %s was charged %d times", id, n)
		}
	}
	return nil
}

// repeats is how many of the day's orders are sent again at its end.
const repeats = 25

// checkRepeats sends some of the requests that placed orders again: as they were, and with another body.
func (p *play) checkRepeats(ctx context.Context, c *checked) error {
	step := max(1, len(p.diners)/repeats)
	for i := 0; i < len(p.diners); i += step {
		d := p.diners[i]
		if d.order.id == "" {
			continue
		}
		again := api.Request{Method: http.MethodPost, Path: "/v1/orders", Key: d.order.key, Body: json.RawMessage(d.order.body)}
		answer, err := d.api.Do(ctx, again)
		if err != nil {
			return err
		}
		if answer.Status != http.StatusCreated || !answer.Replayed || !bytes.Equal(answer.Body, d.order.answer) {
			c.violated("I4", "the request of order %s, sent again, was answered otherwise (status %d)", d.order.id, answer.Status)
		}
		again.Body = json.RawMessage(bytes.Replace(d.order.body, []byte(`"notes":"`), []byte(`"notes":"more of `), 1))
		_, err = d.api.Do(ctx, again)
		if problem, refused := api.Refused(err); !refused || problem.Status != http.StatusUnprocessableEntity {
			c.violated("I4", "the key of order %s was taken for another request: %v", d.order.id, err)
		}
	}
	return nil
}

// checkBooks reads what the modules count. What concerns all orders is held against the day only if nobody else ordered meanwhile.
func (p *play) checkBooks(c *checked, after books, foreign int) {
	for _, clash := range p.holders.clashes {
		c.violated("I6", "%s", clash)
	}
	must := func(id, module, counter string) {
		if n := after.audits[module].Counters[counter]; n != 0 {
			c.violated(id, "%s: %s is %d", module, counter, n)
		}
	}
	must("I3", "accounting", "orders_charged_twice")
	must("I3", "accounting", "provider_orders_charged_twice")
	must("I5", "accounting", "payments_off_ledger")
	must("I6", "delivery", "courier_disagreements")
	must("I9", "orders", "sagas_stuck")
	for _, imbalance := range append(p.imbalances, after.ledger.Imbalance) {
		if imbalance != 0 {
			c.violated("I5", "the ledger is off by %d", imbalance)
		}
	}
	for module, a := range after.audits {
		if a.Parked > 0 {
			c.violated("I10", "%s has parked %d messages", module, a.Parked)
		}
		if a.Dropped > p.before.audits[module].Dropped {
			c.violated("I10", "%s has dropped %d messages", module, a.Dropped)
		}
		if a.WorkStuck > 0 {
			c.violated("I9", "%s has %d pieces of work that keep failing", module, a.WorkStuck)
		}
	}
	if foreign > 0 || p.before.openOrders() > 0 {
		return
	}
	for _, what := range after.unquiet() {
		c.violated(invariantOf(what), "not quiet: %s", what)
	}
	must("I12", "accounting", "authorisations_held")
	must("I12", "accounting", "provider_authorisations_held")
	counter := "charges_" + currency
	charges := after.audits["orders"].Counters[counter] - p.before.audits["orders"].Counters[counter]
	if kept := after.net() - p.before.net(); kept != charges {
		c.violated("I5", "the ledger kept %d, and the orders' ends charge %d", kept, charges)
	}
}

// invariantOf says which invariant unquiet speaks of.
func invariantOf(what string) string {
	if strings.Contains(what, "sagas_open") || strings.Contains(what, "operations_unfinished") {
		return "I9"
	}
	return "I10"
}

func sumOf(amounts []money.Money) (sum int64) {
	for _, m := range amounts {
		if m.Currency == currency {
			sum += m.Amount
		}
	}
	return sum
}
