package whole

import (
	"net/http"
	"sync"
	"time"
)

// courierLook is how long a courier waits between looks at whether there is something to do.
const courierLook = time.Second

// couriers are those who wait for a delivery: each looks for an offer from time to time, as its app would, asking for news only.
type couriers struct {
	city *city
	stop chan struct{}
	over sync.WaitGroup

	mu      sync.Mutex
	free    map[string]string      // the version that each has seen, by id
	offered map[string]chan string // to whom an order is offered
}

// send has all couriers look for offers until the benchmark ends.
func (c *city) send() *couriers {
	cs := &couriers{city: c, stop: make(chan struct{}), free: map[string]string{}, offered: map[string]chan string{}}
	for id := range c.couriers {
		cs.free[id] = ""
	}
	cs.over.Go(cs.look)
	c.b.Cleanup(func() {
		close(cs.stop)
		cs.over.Wait()
	})
	return cs
}

func (cs *couriers) look() {
	by := dial(cs.city.b, cs.city.server.addr)
	defer by.close()
	for {
		begin := time.Now()
		for id, seen := range cs.waiting() {
			if !cs.ask(by, id, seen) {
				return
			}
		}
		select {
		case <-cs.stop:
			return
		case <-time.After(courierLook - time.Since(begin)):
		}
	}
}

func (cs *couriers) waiting() map[string]string {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	all := make(map[string]string, len(cs.free))
	for id, seen := range cs.free {
		all[id] = seen
	}
	return all
}

func (cs *couriers) ask(by *client, id, seen string) bool {
	var courier struct {
		Delivery *struct {
			OrderID string `json:"order_id"`
		}
	}
	seen, err := by.news("/v1/couriers/"+id, cs.city.couriers[id], seen, &courier)
	if err != nil {
		cs.city.b.Error(err)
		return false
	}
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.free[id] = seen
	if courier.Delivery != nil {
		delete(cs.free, id)
		cs.offerOf(courier.Delivery.OrderID) <- id
	}
	return true
}

// offerOf is where the order's courier is told. It has room, so that nobody waits to tell.
func (cs *couriers) offerOf(order string) chan string {
	offer := cs.offered[order]
	if offer == nil {
		offer = make(chan string, 1)
		cs.offered[order] = offer
	}
	return offer
}

// await returns the courier to whom an order is offered, and "" if that takes too long.
func (cs *couriers) await(order string) string {
	cs.mu.Lock()
	offer := cs.offerOf(order)
	cs.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case id := <-offer:
		cs.mu.Lock()
		defer cs.mu.Unlock()
		delete(cs.offered, order)
		return id
	case <-timer.C:
		cs.city.b.Errorf("order %s is not offered after %s", order, patience)
		return ""
	}
}

// release has a courier look for offers again.
func (cs *couriers) release(id string) {
	cs.mu.Lock()
	defer cs.mu.Unlock()
	cs.free[id] = ""
}

// fulfil cooks and brings an approved order: every request that restaurant and courier make, and the diner's look at the order's page.
// It reports whether all went well.
func (cs *couriers) fulfil(by *client, o order) bool {
	var ticket struct {
		PickupCode string `json:"pickup_code"`
	}
	ticketPath, deliveryPath := "/v1/tickets/"+o.ID, "/v1/deliveries/"+o.ID
	ok := by.do(http.MethodGet, ticketPath, o.at.token, nil, &ticket) &&
		by.do(http.MethodPost, ticketPath+"/acceptance", o.at.token, object{}, nil) &&
		by.do(http.MethodPost, ticketPath+"/preparation", o.at.token, object{}, nil) &&
		by.do(http.MethodPost, ticketPath+"/readiness", o.at.token, object{}, nil) &&
		by.do(http.MethodGet, "/v1/orders/"+o.ID, o.by.token, nil, nil)
	if !ok {
		return false
	}
	courier := cs.await(o.ID)
	if courier == "" {
		return false
	}
	defer cs.release(courier)
	token := cs.city.couriers[courier]
	return by.do(http.MethodPost, deliveryPath+"/acceptance", token, object{}, nil) &&
		by.do(http.MethodPost, deliveryPath+"/arrival-at-pickup", token, object{}, nil) &&
		by.do(http.MethodPost, deliveryPath+"/pickup", token, object{"code": ticket.PickupCode}, nil) &&
		by.do(http.MethodPost, deliveryPath+"/arrival-at-dropoff", token, object{}, nil) &&
		by.do(http.MethodPost, deliveryPath+"/dropoff", token, object{"pin": o.DeliveryPin}, nil)
}
