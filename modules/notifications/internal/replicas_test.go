package internal

import (
	"slices"
	"sync"
	"testing"

	"kerf/modules/orders/ordersapi"
	"kerf/platform/database/databasetest"
	"kerf/platform/ids"
)

// A message comes to two processes when one of a group takes over from another. Everybody is told once.
func TestTwoProcessesTellOnce(t *testing.T) {
	a, b := databasetest.OpenTwo(t, "notifications")
	one := newTeller(t)
	one.start(a)
	other := newTeller(t)
	other.contacts, other.clock = one.contacts, one.clock
	other.start(b)
	t.Cleanup(func() { one.stop(); other.stop() })

	const diners, orders = 6, 5
	var consumers []string
	for range diners {
		consumers = append(consumers, one.consumer("de"))
	}
	var publishing sync.WaitGroup
	for _, consumer := range consumers {
		for range orders {
			event := &ordersapi.OrderApproved{OrderId: ids.New(), ConsumerId: consumer, RestaurantId: ids.New()}
			id := ids.New()
			for _, k := range []*teller{one, other} {
				publishing.Go(func() { k.send(id, 1, event) })
			}
		}
	}
	publishing.Wait()
	for _, consumer := range consumers {
		one.awaitStates(consumer, slices.Repeat([]State{Sent}, orders)...)
	}
	one.awaitIdle()
}
