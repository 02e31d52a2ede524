package town

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"sync"

	"kerf/cmd/simulate/rules"
)

// order is one that somebody asks for.
type order struct {
	number     int
	diner      *diner
	restaurant *restaurant
	meal       []byte // the end of a request for a quote
	quoteID    string

	// What follows is guarded by orders.mu until the journey has ended.
	id      string // empty until the server has acknowledged it
	total   int64  // as acknowledged, in minor units
	refused string // the code, if the server would not have it
	pin     string

	pickupCode string
	offers     chan *courier // who is offered the order; holds one; nil if its journey has no courier
	courier    *courier      // who rides with it

	sent *rules.Sent // the request that placed it and its answer, of those that are to be repeated
}

// quote asks for the price of an order.
func (t *Town) quote(ctx context.Context, worker int, o *order) error {
	body := append(append(append(make([]byte, 0, 512), o.restaurant.quote...), o.diner.quote...), o.meal...)
	r := request{method: "POST", path: "/v1/quotes", bearer: o.diner.bearer, key: t.keys.next(nil), body: body}
	return t.lines.exchange(ctx, worker, r, func(a answer) error {
		if o.quoteID = text(a.body, `"id":"`); o.quoteID == "" {
			return errors.New("the quote has no id")
		}
		return nil
	})
}

// submit places an order, which is known from now on whatever becomes of it.
func (t *Town) submit(ctx context.Context, worker int, o *order) error {
	body := append(append(make([]byte, 0, 256), `{"quote_id":"`...), o.quoteID...)
	body = append(strconv.AppendInt(append(body, o.diner.place...), int64(o.number), 10), `"}`...)
	r := request{method: "POST", path: "/v1/orders", bearer: o.diner.bearer, key: t.keys.next(nil), body: body}
	keep := t.orders.ask(o)
	err := t.lines.exchange(ctx, worker, r, func(a answer) error {
		id := text(a.body, `"id":"`)
		if id == "" {
			return errors.New("the order has no id")
		}
		t.orders.acknowledge(o, id, text(a.body, `"delivery_pin":"`), number(a.body, `"total":{"amount":`))
		if keep {
			o.sent = &rules.Sent{OrderID: id, Key: string(r.key), Body: body, Answer: slices.Clone(a.body)}
		}
		return nil
	})
	if refusal, refused := errors.AsType[*Refusal](err); refused && refusal.definite() {
		t.orders.refuse(o, refusal.Code)
	}
	return err
}

// definite tells whether the server has decided: repeating the request would change nothing.
func (r *Refusal) definite() bool {
	switch r.Status {
	case http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests:
		return false
	}
	return r.Status < 500
}

// repeatEvery is how many orders there are for one whose request is kept, to be sent again by Check.
const repeatEvery = 20

// orders are all that were ever asked for, so that a check finds those, too, whose journey was cut off.
type orders struct {
	mu   sync.Mutex
	all  []*order
	byID map[string]*order
	// waiting are those whose journeys go on, and may be offered to couriers.
	waiting map[string]bool
}

func newOrders() orders { return orders{byID: map[string]*order{}, waiting: map[string]bool{}} }

// ask notes an order before it is sent: nobody knows what becomes of it. keep says that its request is to be kept.
func (s *orders) ask(o *order) (keep bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, o)
	return len(s.all)%repeatEvery == 1
}

// acknowledge notes that the server has it.
func (s *orders) acknowledge(o *order, id, pin string, total int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.id, o.pin, o.total = id, pin, total
	s.byID[id] = o
	if o.offers != nil {
		s.waiting[id] = true
	}
}

func (s *orders) refuse(o *order, code string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	o.refused = code
}

// find gives an order of the town's; nil if it has none of this id.
func (s *orders) find(id string) *order {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.byID[id]
}

// offer hands an order to the courier who has seen an offer of it. It is false if nobody waits for that.
func (s *orders) offer(id string, c *courier) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waiting[id] {
		return false
	}
	select {
	case s.byID[id].offers <- c:
		return true
	default: // somebody else was offered it before, and has not been answered
		return false
	}
}

// leave ends an order's journey: its courier looks for offers again.
func (s *orders) leave(o *order) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.waiting, o.id)
	select {
	case c := <-o.offers:
		c.free()
	default:
	}
	if o.courier != nil {
		o.courier.free()
		o.courier = nil
	}
}

// snapshot is all orders so far.
func (s *orders) snapshot() []*order {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}

// free lets the courier look for offers again.
func (c *courier) free() {
	select {
	case c.freed <- struct{}{}:
	default:
	}
}
