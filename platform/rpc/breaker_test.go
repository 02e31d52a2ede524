package rpc_test

import (
	"context"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kerf/platform/fault"
	"kerf/platform/rpc"
)

func TestABreakerOpensHalfOpensAndCloses(t *testing.T) {
	registry := prometheus.NewRegistry()
	k := &kitchen{}
	w := newWire(t, newProcess(t, k).address)
	policy := brisk()
	policy.Timeout, policy.Attempts = 60*time.Millisecond, 1
	policy.Breaker = rpc.Breaker{Rate: 0.5, Calls: 4, Window: 10 * time.Second, Open: 300 * time.Millisecond}
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{w.address()}, Protocol: rpc.Connect, Policy: policy, Registry: registry})
	if _, err := ask(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	w.hold(true)
	for range 3 {
		_, err := ask(t.Context(), c)
		coded(t, err, fault.KindDeadline, "deadline")
	}
	start := time.Now()
	_, err := ask(t.Context(), c)
	f := coded(t, err, fault.KindUnavailable, "circuit_open")
	if took := time.Since(start); took > 50*time.Millisecond {
		t.Errorf("an open breaker answered after %v", took)
	}
	if f.RetryAfter <= 0 || f.RetryAfter > 400*time.Millisecond {
		t.Errorf("ask again after %v", f.RetryAfter)
	}
	if c.Ready() || c.State().Breaker != "open" || number(t, registry, "kerf_remote_breaker_open") != 1 {
		t.Errorf("the client is ready %v, %v", c.Ready(), c.State())
	}
	// Half-open, a failure opens it again.
	await(t, "a call that tries", func() bool {
		_, err := ask(t.Context(), c)
		return fault.KindOf(err) == fault.KindDeadline
	})
	await(t, "the breaker to open again", func() bool { return c.State().Breaker == "open" })
	// And successes close it.
	w.hold(false)
	await(t, "the breaker to close", func() bool {
		_, err := ask(t.Context(), c)
		return err == nil && c.State().Breaker == "closed"
	})
	if !c.Ready() || number(t, registry, "kerf_remote_given_up_total", "circuit_open") == 0 {
		t.Errorf("the client is ready %v", c.Ready())
	}
}

func TestAnAnswerOfAnyKindIsASignOfLife(t *testing.T) {
	k := &kitchen{audit: func(context.Context, int64) error { return fault.Unavailable(time.Minute, "closed", "closed") }}
	policy := brisk()
	policy.Breaker = rpc.Breaker{Rate: 0.5, Calls: 4}
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{newProcess(t, k).address}, Policy: policy})
	for range 20 {
		_, err := ask(t.Context(), c)
		coded(t, err, fault.KindUnavailable, "closed")
	}
	if state := c.State(); state.Breaker != "closed" || state.Replicas[0].Ejected {
		t.Errorf("the state is %+v", state)
	}
}

func TestACallerWithoutTimeProvesNothing(t *testing.T) {
	k := &kitchen{audit: func(ctx context.Context, _ int64) error { <-ctx.Done(); return ctx.Err() }}
	policy := brisk()
	policy.Attempts, policy.Attempt = 1, time.Second
	policy.Breaker = rpc.Breaker{Rate: 0.5, Calls: 4}
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{newProcess(t, k).address}, Policy: policy})
	for range 10 {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Millisecond)
		_, err := ask(ctx, c)
		cancel()
		coded(t, err, fault.KindDeadline, "deadline")
	}
	if state := c.State(); state.Breaker != "closed" || state.Replicas[0].Ejected {
		t.Errorf("the state is %+v", state)
	}
}

func TestTooManyCallsDoNotQueueForLong(t *testing.T) {
	entered, leave := make(chan struct{}), make(chan struct{})
	k := &kitchen{audit: func(context.Context, int64) error {
		entered <- struct{}{}
		<-leave
		return nil
	}}
	policy := brisk()
	policy.Timeout, policy.Attempt = 20*time.Second, 20*time.Second
	policy.Bulkhead = rpc.Bulkhead{Calls: 2, Wait: 20 * time.Millisecond}
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{newProcess(t, k).address}, Policy: policy})
	var callers sync.WaitGroup
	for range 2 {
		callers.Go(func() {
			if _, err := ask(t.Context(), c); err != nil {
				t.Error(err)
			}
		})
		<-entered
	}
	_, err := ask(t.Context(), c)
	if f := coded(t, err, fault.KindUnavailable, "bulkhead_full"); f.RetryAfter == 0 {
		t.Error("it is not said when to ask again")
	}
	close(leave)
	callers.Wait()
	go func() { <-entered }()
	if _, err := ask(t.Context(), c); err != nil {
		t.Errorf("a call afterwards ended with %v", err)
	}
}
