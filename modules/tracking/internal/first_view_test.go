package internal

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"
)

// newOrder is the id of an order that was made so long ago.
func (k *tracker) newOrder(ago time.Duration) string {
	made := fmt.Sprintf("%012x", k.clock.Wall().Add(-ago).UnixMilli())
	return made[:8] + "-" + made[8:] + "-7000-8000-000000000001"
}

func (k *tracker) waiting(order string) int {
	k.watchers.mu.Lock()
	defer k.watchers.mu.Unlock()
	return len(k.watchers.byOrder[order])
}

// asks gets paths as somebody at the same time, and returns their statuses once all of them are answered.
func (k *tracker) asks(ctx context.Context, token string, paths ...string) func() []int {
	statuses, done := make([]int, len(paths)), make(chan int, len(paths))
	for i, path := range paths {
		go func() {
			defer func() { done <- i }()
			req, err := http.NewRequestWithContext(ctx, http.MethodGet, k.url+path, nil)
			if err != nil {
				return
			}
			req.Header.Set("Authorization", "Bearer "+token)
			if res, err := http.DefaultClient.Do(req); err == nil {
				statuses[i] = res.StatusCode
				_ = res.Body.Close()
			}
		}()
	}
	return func() []int {
		for range paths {
			<-done
		}
		return statuses
	}
}

func (k *tracker) awaitWaiting(order string, n int) {
	k.t.Helper()
	await(k.t, fmt.Sprintf("%d wait for %s", n, order), func() bool { return k.waiting(order) == n })
}

func TestTheFirstViewOfANewOrderIsWaitedFor(t *testing.T) {
	k := open(t)
	order := k.newOrder(0)
	path := "/v1/tracking/" + order
	answered := k.asks(t.Context(), diner, path, path+"/events")
	k.awaitWaiting(order, 2)
	k.publish(of(order, placed))
	if got := fmt.Sprint(answered()); got != "[200 200]" {
		t.Errorf("its diner got %s", got)
	}
	if a := k.get("consumer+"+restaurantID, path); a.status != 404 {
		t.Errorf("another diner got %d %s", a.status, a.raw)
	}
}

func TestWhoIsNotTheDinerWaitsOnlyUntilTheOrderIsKnown(t *testing.T) {
	k := open(t)
	order := k.newOrder(0)
	answered := k.asks(t.Context(), "consumer+"+restaurantID, "/v1/tracking/"+order)
	k.awaitWaiting(order, 1)
	k.publish(of(order, placed))
	if got := answered(); got[0] != 404 {
		t.Errorf("another diner got %d", got[0])
	}
}

func TestAnOrderThatDoesNotComeIsNotFoundAfterAWhile(t *testing.T) {
	k := open(t)
	order := k.newOrder(0)
	path := "/v1/tracking/" + order
	answered := k.asks(t.Context(), diner, path, path+"/events")
	k.awaitWaiting(order, 2)
	await(t, "nobody waits any more", func() bool {
		k.clock.Advance(patience / 8)
		return k.waiting(order) == 0
	})
	if got := fmt.Sprint(answered()); got != "[404 404]" {
		t.Errorf("got %s", got)
	}
	for _, old := range []string{k.newOrder(fresh + time.Second), k.newOrder(-fresh - time.Second), strings.Replace(order, "-7000-", "-4000-", 1)} {
		if a := k.get(diner, "/v1/tracking/"+old); a.status != 404 {
			t.Errorf("%s: %d", old, a.status)
		}
	}
}

func TestThoseWhoWaitForAFirstViewAreLimited(t *testing.T) {
	k := open(t)
	k.patient = make(chan struct{}, 1)
	order := k.newOrder(0)
	ctx, leave := context.WithCancel(t.Context())
	answered := k.asks(ctx, diner, "/v1/tracking/"+order)
	k.awaitWaiting(order, 1)
	if a := k.get(diner, "/v1/tracking/"+order); a.status != 404 {
		t.Errorf("the second got %d", a.status)
	}
	leave()
	answered()
	k.awaitWaiting(order, 0)
	await(t, "the place is free", func() bool { return len(k.patient) == 0 })
}

func TestADrainEndsTheWaitForAFirstView(t *testing.T) {
	k := open(t)
	order := k.newOrder(0)
	answered := k.asks(t.Context(), diner, "/v1/tracking/"+order, "/v1/tracking/"+order+"/events")
	k.awaitWaiting(order, 2)
	must(t, k.web.Drain(t.Context()))
	if got := fmt.Sprint(answered()); got != "[503 503]" {
		t.Errorf("got %s", got)
	}
}
