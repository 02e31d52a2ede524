package rpc_test

import (
	"context"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"kerf/platform/fault"
	"kerf/platform/platformpb"
	"kerf/platform/rpc"
)

// kitchen is a module that does what a test tells it. Audit is a query, ReplayParked a command.
type kitchen struct {
	platformpb.PlatformService
	calls  atomic.Int64
	audit  func(ctx context.Context, call int64) error
	replay func(ctx context.Context, call int64, key string) error
}

func (k *kitchen) Audit(ctx context.Context, _ *platformpb.AuditRequest) (*platformpb.AuditResponse, error) {
	if n := k.calls.Add(1); k.audit != nil {
		if err := k.audit(ctx, n); err != nil {
			return nil, err
		}
	}
	return &platformpb.AuditResponse{Module: "kitchen"}, nil
}

func (k *kitchen) ReplayParked(ctx context.Context, req *platformpb.ReplayParkedRequest) (*platformpb.ReplayParkedResponse, error) {
	return &platformpb.ReplayParkedResponse{}, k.replay(ctx, k.calls.Add(1), req.GetOperationKey())
}

var replay = rpc.Operation{Path: "/kerf.platform.v1.PlatformService/ReplayParked", Command: true}

func command(ctx context.Context, c *rpc.Client, key string) error {
	return c.Call(ctx, replay, &platformpb.ReplayParkedRequest{Id: "1", OperationKey: key}, &platformpb.ReplayParkedResponse{})
}

// brisk is a policy whose waits are short.
func brisk() rpc.Policy {
	return rpc.Policy{
		Timeout: 2 * time.Second, Attempt: 100 * time.Millisecond, Attempts: 3,
		Backoff:  rpc.Backoff{First: time.Millisecond, Longest: 5 * time.Millisecond},
		Breaker:  rpc.Breaker{Rate: 1, Calls: 1000}, // never, for most tests
		Ejection: rpc.Ejection{Failures: 2, Time: 100 * time.Millisecond},
	}
}

func coded(t *testing.T, err error, kind fault.Kind, code string) *fault.Error {
	t.Helper()
	f := fault.As(err)
	if f == nil || f.Kind != kind || f.Code != code {
		t.Fatalf("the call ended with %v, want %v (%s)", err, kind, code)
	}
	return f
}

func TestADeadlineShrinksOnItsWay(t *testing.T) {
	var left time.Duration
	k := &kitchen{audit: func(ctx context.Context, _ int64) error {
		d, ok := ctx.Deadline()
		if !ok {
			t.Error("the owner has no deadline")
		}
		left = time.Until(d)
		return nil
	}}
	p := newProcess(t, k)
	for _, protocol := range protocols {
		c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{p.address}, Protocol: protocol, Policy: rpc.Policy{Timeout: 3 * time.Second}})
		for _, row := range []struct {
			name        string
			caller      time.Duration // 0 is none
			least, most time.Duration
		}{
			{"none: the policy's timeout", 0, 2 * time.Second, 3 * time.Second},
			{"later than the policy's timeout", time.Hour, 2 * time.Second, 3 * time.Second},
			{"sooner", 2 * time.Second, time.Second, 2*time.Second - 10*time.Millisecond},
			{"very soon: a tenth is kept", 100 * time.Millisecond, time.Millisecond, 91 * time.Millisecond},
		} {
			t.Run(string(protocol)+"/"+row.name, func(t *testing.T) {
				ctx := t.Context()
				if row.caller > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, row.caller)
					defer cancel()
				}
				if _, err := ask(ctx, c); err != nil {
					t.Fatal(err)
				}
				if left < row.least || left > row.most {
					t.Errorf("the owner has %v, want %v to %v", left, row.least, row.most)
				}
			})
		}
	}
}

func TestOnlyWhatIsSafeIsTriedAgain(t *testing.T) {
	down := fault.Unavailable(0, "starting", "not yet")
	for _, protocol := range protocols {
		for _, row := range []struct {
			name string
			call func(ctx context.Context, c *rpc.Client) error
			err  error
			want int64 // attempts
		}{
			{"a query", func(ctx context.Context, c *rpc.Client) error { _, err := ask(ctx, c); return err }, down, 3},
			{"a command with its key", func(ctx context.Context, c *rpc.Client) error { return command(ctx, c, "key") }, down, 3},
			{"a command without one", func(ctx context.Context, c *rpc.Client) error { return command(ctx, c, "") }, down, 1},
			{"a refusal", func(ctx context.Context, c *rpc.Client) error { return command(ctx, c, "key") }, fault.Refused("no", "no"), 1},
			{"not found", func(ctx context.Context, c *rpc.Client) error { _, err := ask(ctx, c); return err }, fault.NotFound("it"), 1},
			{"a defect", func(ctx context.Context, c *rpc.Client) error { _, err := ask(ctx, c); return err }, fault.Internal(nil, "x"), 1},
			{"unknown: another has it in hand", func(ctx context.Context, c *rpc.Client) error { return command(ctx, c, "key") },
				fault.Unknown(time.Millisecond, "in_flight", "in flight"), 1},
			{"unavailable for long", func(ctx context.Context, c *rpc.Client) error { return command(ctx, c, "key") },
				fault.Unavailable(time.Minute, "closed", "for long"), 1},
		} {
			t.Run(string(protocol)+"/"+row.name, func(t *testing.T) {
				var mu sync.Mutex
				keys := map[string]bool{}
				k := &kitchen{
					audit: func(context.Context, int64) error { return row.err },
					replay: func(_ context.Context, _ int64, key string) error {
						mu.Lock()
						defer mu.Unlock()
						keys[key] = true
						return row.err
					},
				}
				c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{newProcess(t, k).address}, Protocol: protocol, Policy: brisk()})
				err := row.call(t.Context(), c)
				if want, got := fault.As(row.err), fault.As(err); got == nil || got.Kind != want.Kind || got.Code != want.Code {
					t.Errorf("the call ended with %v, want %v", got, want)
				}
				if got := k.calls.Load(); got != row.want {
					t.Errorf("%d attempts, want %d", got, row.want)
				}
				if len(keys) > 1 {
					t.Errorf("the attempts had different keys: %v", keys)
				}
			})
		}
	}
}

func TestARetryThatSucceedsIsASuccess(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	k := &kitchen{replay: func(_ context.Context, call int64, _ string) error {
		if call < 3 {
			return fault.Unavailable(0, "starting", "not yet")
		}
		return nil
	}}
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{newProcess(t, k).address}, Policy: brisk(), Registry: registry})
	if err := command(t.Context(), c, "key"); err != nil {
		t.Fatal(err)
	}
	if got := number(t, registry, "kerf_remote_retries_total"); got != 2 {
		t.Errorf("%v retries are counted", got)
	}
}

func TestARetryWaitsAsLongAsTheOwnerAsks(t *testing.T) {
	var times []time.Time
	k := &kitchen{audit: func(context.Context, int64) error {
		if times = append(times, time.Now()); len(times) == 1 {
			return fault.Unavailable(40*time.Millisecond, "starting", "in a moment")
		}
		return nil
	}}
	policy := brisk()
	policy.Backoff.Longest = 50 * time.Millisecond
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{newProcess(t, k).address}, Policy: policy})
	if _, err := ask(t.Context(), c); err != nil {
		t.Fatal(err)
	}
	if len(times) != 2 || times[1].Sub(times[0]) < 40*time.Millisecond {
		t.Errorf("attempts at %v", times)
	}
}

func TestARetryForWhichNoTimeIsLeftIsNotMade(t *testing.T) {
	k := &kitchen{audit: func(context.Context, int64) error {
		return fault.Unavailable(40*time.Millisecond, "starting", "in a moment")
	}}
	policy := brisk()
	policy.Backoff.Longest = 50 * time.Millisecond
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{newProcess(t, k).address}, Policy: policy})
	ctx, cancel := context.WithTimeout(t.Context(), 35*time.Millisecond)
	defer cancel()
	start := time.Now()
	_, err := ask(ctx, c)
	coded(t, err, fault.KindUnavailable, "starting")
	if took := time.Since(start); took > 30*time.Millisecond || k.calls.Load() != 1 {
		t.Errorf("it took %v and %d attempts", took, k.calls.Load())
	}
}

// number returns the value of a series whose labels hold all that are given.
func number(t *testing.T, registry *prometheus.Registry, name string, labels ...string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != name {
			continue
		}
		for _, metric := range family.GetMetric() {
			if text := metric.String(); !strings.Contains(text, "kitchen") || !containsAll(text, labels) {
				continue
			}
			return metric.GetCounter().GetValue() + metric.GetGauge().GetValue()
		}
	}
	t.Fatalf("there is no metric %s %v", name, labels)
	return 0
}

func containsAll(text string, parts []string) bool {
	for _, part := range parts {
		if !strings.Contains(text, part) {
			return false
		}
	}
	return true
}

func TestTheBudgetKeepsRetriesFromBecomingAStorm(t *testing.T) {
	k := &kitchen{audit: func(context.Context, int64) error { return fault.Unavailable(0, "down", "down") }}
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{newProcess(t, k).address}, Policy: brisk()})
	const calls = 500
	var callers sync.WaitGroup
	for range 10 {
		callers.Go(func() {
			for range calls / 10 {
				_, err := ask(t.Context(), c)
				if fault.KindOf(err) != fault.KindUnavailable {
					t.Error(err)
				}
			}
		})
	}
	callers.Wait()
	// A fifth, and the ten that were saved.
	if got := k.calls.Load(); got <= calls || got > calls+calls/5+10 {
		t.Errorf("%d calls became %d attempts", calls, got)
	}
}

func TestAPolicyStatesWhatDiffers(t *testing.T) {
	base := rpc.DefaultPolicy()
	if errs := base.Validate("calls"); len(errs) > 0 {
		t.Errorf("the defaults are wrong: %v", errs)
	}
	got := base.Over(rpc.Policy{Timeout: time.Minute, Breaker: rpc.Breaker{Open: time.Hour}})
	want := base
	want.Timeout, want.Breaker.Open = time.Minute, time.Hour
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(base, base.Over(rpc.Policy{})); diff != "" {
		t.Error(diff)
	}
	var all []string
	for _, err := range (rpc.Policy{Budget: 2, Bulkhead: rpc.Bulkhead{Wait: -1}}).Validate("calls.modules.kitchen") {
		all = append(all, err.Error())
	}
	if len(all) != 13 { // all but backoff.longest, which is not shorter than backoff.first
		t.Errorf("%d problems: %q", len(all), all)
	}
	for _, want := range []string{"calls.modules.kitchen.timeout must be more than 0", "calls.modules.kitchen.budget must be more than 0 and at most 1",
		"calls.modules.kitchen.bulkhead.wait must be 0 or more"} {
		if !strings.Contains(strings.Join(all, "\n"), want) {
			t.Errorf("%q is missing", want)
		}
	}
}

func TestAClientThatCannotWorkIsNotMade(t *testing.T) {
	for name, config := range map[string]rpc.ClientConfig{
		"no address":       {Module: "kitchen"},
		"no port":          {Module: "kitchen", Addresses: []string{"127.0.0.1"}},
		"no host":          {Module: "kitchen", Addresses: []string{":9090"}},
		"a name and more":  {Module: "kitchen", Addresses: []string{"dns:///kitchen:9090", "127.0.0.1:9090"}},
		"twice the same":   {Module: "kitchen", Addresses: []string{"127.0.0.1:9090", "127.0.0.1:9090"}},
		"unknown protocol": {Module: "kitchen", Addresses: []string{"127.0.0.1:9090"}, Protocol: "soap"},
		"wrong policy":     {Module: "kitchen", Addresses: []string{"127.0.0.1:9090"}, Policy: rpc.Policy{Attempts: 100}},
	} {
		t.Run(name, func(t *testing.T) {
			config.Log = logTo(&journal{})
			if c, err := rpc.NewClient(config); err == nil {
				_ = c.Close()
				t.Error("the client was made")
			}
		})
	}
}

func TestClientsShareARegistryAndLeaveIt(t *testing.T) {
	registry := prometheus.NewPedanticRegistry()
	for range 2 { // the second finds nothing of the first
		var clients []*rpc.Client
		for _, module := range []string{"kitchen", "delivery"} {
			c, err := rpc.NewClient(rpc.ClientConfig{Module: module, Addresses: []string{"127.0.0.1:1"}, Log: logTo(&journal{}), Registry: registry})
			if err != nil {
				t.Fatal(err)
			}
			clients = append(clients, c)
		}
		if n, err := testutil.GatherAndCount(registry, "kerf_remote_replicas"); err != nil || n != 6 {
			t.Errorf("%d series, %v", n, err)
		}
		for _, c := range clients {
			if err := c.Close(); err != nil {
				t.Error(err)
			}
		}
	}
}
