package internal

import (
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kerf/modules/kitchen/kitchenapi"
	"kerf/platform/clock"
	"kerf/platform/database/databasetest"
	"kerf/platform/ids"
)

// openTwo is two processes on one schema.
func openTwo(t *testing.T) (one, other *kitchen) {
	t.Helper()
	a, b := databasetest.OpenTwo(t, "kitchen")
	clk := clock.NewManual(noon)
	return openOn(t, a, clk), openOn(t, b, clk)
}

func TestTwoProcessesTogetherKeepAKitchensCapacity(t *testing.T) {
	one, other := openTwo(t)
	const capacity, tickets = 3, 24
	restaurant := ids.New()
	orders := make([]order, tickets)
	for i := range orders {
		orders[i] = newOrder()
		orders[i].restaurant = restaurant
		k := []*kitchen{one, other}[i%2]
		k.accept(orders[i])
	}
	cook := orders[0].cook()
	one.Do(cook, http.MethodPut, "/v1/kitchens/"+restaurant, fmt.Sprintf(`{"capacity":%d}`, capacity), "If-Match", `"1"`, "Idempotency-Key", ids.New()).Want(http.StatusOK)
	var begun, full atomic.Int64
	var cooks sync.WaitGroup
	for i, o := range orders {
		cooks.Go(func() {
			switch r := []*kitchen{one, other}[i/2%2].Post(cook, "/v1/tickets/"+o.id+"/preparation", `{}`); {
			case r.Status == http.StatusOK:
				begun.Add(1)
			case r.Body["code"] == "kitchen_full":
				full.Add(1)
			default:
				t.Errorf("answered %d %v", r.Status, r.Body)
			}
		})
	}
	cooks.Wait()
	if begun.Load() != capacity || full.Load() != tickets-capacity {
		t.Errorf("%d tickets are in preparation, %d are refused; the capacity is %d", begun.Load(), full.Load(), capacity)
	}
}

func TestATicketExpiresOnceThoughTwoProcessesWatch(t *testing.T) {
	one, other := openTwo(t)
	var orders []order
	for i := range 12 {
		orders = append(orders, []*kitchen{one, other}[i%2].awaiting())
	}
	one.clock.Advance(11 * time.Minute)
	for _, o := range orders {
		one.awaitState(o, kitchenapi.TicketState_TICKET_STATE_EXPIRED)
		one.wantFacts(o, "TicketCreated", "TicketExpired")
	}
}

func TestARequestIsCarriedOutOnceThoughTwoProcessesGetIt(t *testing.T) {
	one, other := openTwo(t)
	for range 8 {
		o := one.awaiting()
		cook, key := o.cook(), ids.New()
		var both sync.WaitGroup
		for _, k := range []*kitchen{one, other} {
			both.Go(func() {
				r := k.Post(cook, "/v1/tickets/"+o.id+"/acceptance", `{}`, "Idempotency-Key", key)
				if r.Status != http.StatusOK || r.Body["version"] == nil && r.Header.Get("ETag") == "" {
					t.Errorf("answered %d %v", r.Status, r.Body)
				}
			})
		}
		both.Wait()
		one.wantFacts(o, "TicketCreated", "TicketAccepted")
	}
}
