package play

import (
	"fmt"
	"sync"

	"kerf/cmd/simulate/actors"
)

// holders know which courier has which of the day's orders, as the couriers see it.
type holders struct {
	mu      sync.Mutex
	diners  map[string]*diner // by order
	courier map[string]string // by order
	order   map[string]string // by courier
	clashes []string          // couriers who had two orders, orders that two couriers had (I6)
}

func (h *holders) expect(orderID string, d *diner) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.diners == nil {
		h.diners, h.courier, h.order = map[string]*diner{}, map[string]string{}, map[string]string{}
	}
	h.diners[orderID] = d
}

// diner is who waits for an order; nil if it is not of this day.
func (h *holders) diner(orderID string) *diner {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.diners[orderID]
}

func (h *holders) took(courierID, orderID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if other := h.courier[orderID]; other != "" && other != courierID {
		h.clashes = append(h.clashes, fmt.Sprintf("order %s was given to courier %s while courier %s had it", orderID, courierID, other))
	}
	if other := h.order[courierID]; other != "" && other != orderID {
		h.clashes = append(h.clashes, fmt.Sprintf("courier %s was given order %s while it had order %s", courierID, orderID, other))
	}
	h.courier[orderID], h.order[courierID] = courierID, orderID
}

func (h *holders) gave(courierID, orderID string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.courier, orderID)
	delete(h.order, courierID)
}

// notice counts what couriers do.
func (p *play) notice(n actors.Notice) {
	switch n.What {
	case actors.WentOnline:
		p.counts.onShift.Add(1)
	case actors.WentOffline:
		p.counts.onShift.Add(-1)
	case actors.Took:
		p.counts.busy.Add(1)
		p.holders.took(n.CourierID, n.OrderID)
	case actors.Delivered, actors.Lost:
		p.counts.busy.Add(-1)
		p.holders.gave(n.CourierID, n.OrderID)
	}
}
