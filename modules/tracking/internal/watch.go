package internal

import (
	"slices"
	"sync"

	"kerf/modules/delivery/deliveryapi"
)

// watchers are the live streams of this process. They are told nothing but that there is something, by a bell, so that a slow client
// holds up nobody and misses nothing: it reads the log when it gets to it.
type watchers struct {
	mu      sync.Mutex
	byOrder map[string]map[*watcher]struct{} // under "" those who watch all orders
	// couriers are those with an order, where they were last seen.
	couriers map[string]*deliveryapi.CourierMoved
}

func newWatchers() *watchers {
	return &watchers{byOrder: map[string]map[*watcher]struct{}{}, couriers: map[string]*deliveryapi.CourierMoved{}}
}

// bell wakes who waits for it, once for all that it was rung meanwhile.
type bell chan struct{}

func newBell() bell { return make(bell, 1) }

// ring never blocks.
func (b bell) ring() {
	select {
	case b <- struct{}{}:
	default:
	}
}

// watcher is one live stream.
type watcher struct {
	orderID string // empty: all
	wake    bell

	mu    sync.Mutex
	moved []*deliveryapi.CourierMoved // not sent yet, one for each courier
}

// watch begins to wake a stream for an order, or for all if it is "". It knows already where the couriers are.
func (w *watchers) watch(orderID string) *watcher {
	one := &watcher{orderID: orderID, wake: newBell()}
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.byOrder[orderID] == nil {
		w.byOrder[orderID] = map[*watcher]struct{}{}
	}
	w.byOrder[orderID][one] = struct{}{}
	for _, m := range w.couriers {
		if orderID == "" || slices.Contains(m.GetOrderIds(), orderID) {
			one.moved = append(one.moved, m)
		}
	}
	return one
}

// leave ends what watch began.
func (w *watchers) leave(one *watcher) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.byOrder[one.orderID], one)
	if len(w.byOrder[one.orderID]) == 0 {
		delete(w.byOrder, one.orderID)
	}
}

// changed wakes those who watch an order. It never blocks.
func (w *watchers) changed(orderID string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, watched := range []string{orderID, ""} {
		for one := range w.byOrder[watched] {
			one.wake.ring()
		}
	}
}

// all wakes everybody.
func (w *watchers) all() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, watching := range w.byOrder {
		for one := range watching {
			one.wake.ring()
		}
	}
}

// any tells whether anybody watches.
func (w *watchers) any() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return len(w.byOrder) > 0
}

// courierMoved passes a courier's position on, unless a later one is known. It never blocks.
func (w *watchers) courierMoved(m *deliveryapi.CourierMoved) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if known := w.couriers[m.GetCourierId()]; known != nil && m.GetTime().AsTime().Before(known.GetTime().AsTime()) {
		return
	}
	if len(m.GetOrderIds()) == 0 { // of interest to nobody
		delete(w.couriers, m.GetCourierId())
		return
	}
	w.couriers[m.GetCourierId()] = m
	for _, watched := range append([]string{""}, m.GetOrderIds()...) {
		for one := range w.byOrder[watched] {
			one.take(m)
		}
	}
}

// take keeps a courier's position to be sent, in place of an earlier one that was not.
func (one *watcher) take(m *deliveryapi.CourierMoved) {
	one.mu.Lock()
	i := slices.IndexFunc(one.moved, func(k *deliveryapi.CourierMoved) bool { return k.GetCourierId() == m.GetCourierId() })
	if i >= 0 {
		one.moved[i] = m
	} else {
		one.moved = append(one.moved, m)
	}
	one.mu.Unlock()
	one.wake.ring()
}

// moves hands over what take has kept.
func (one *watcher) moves() []*deliveryapi.CourierMoved {
	one.mu.Lock()
	defer one.mu.Unlock()
	moved := one.moved
	one.moved = nil
	return moved
}
