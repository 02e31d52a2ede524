package rpc_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kerf/platform/fault"
	"kerf/platform/rpc"
)

// everyProtocol runs a test with each protocol.
func everyProtocol(t *testing.T, test func(t *testing.T, protocol rpc.Protocol)) {
	for _, protocol := range protocols {
		t.Run(string(protocol), func(t *testing.T) { test(t, protocol) })
	}
}

// connected waits until a client has a connection to all its replicas, so that none is passed over as still to be connected.
func connected(t *testing.T, c *rpc.Client) {
	t.Helper()
	await(t, "the replicas to be connected", func() bool {
		state := c.State()
		for _, r := range state.Replicas {
			if !r.Connected {
				return false
			}
		}
		return len(state.Replicas) > 0
	})
}

func TestReplicasTakeTurns(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
		kitchens := []*kitchen{{}, {}, {}}
		var addresses []string
		for _, k := range kitchens {
			addresses = append(addresses, newProcess(t, k).address)
		}
		c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: addresses, Protocol: protocol})
		connected(t, c)
		for range 30 {
			if _, err := ask(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		for i, k := range kitchens {
			if got := k.calls.Load(); got != 10 {
				t.Errorf("replica %d has had %d calls of 30", i, got)
			}
		}
	})
}

func TestAKilledReplicaIsMissedByNobodyAndComesBack(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
		first, second := &kitchen{}, &kitchen{}
		one, two := newProcess(t, first), newProcess(t, second)
		c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{one.address, two.address}, Protocol: protocol, Policy: brisk()})
		connected(t, c)
		stop := make(chan struct{})
		var callers sync.WaitGroup
		var failed atomic.Int64
		for range 4 {
			callers.Go(func() {
				for {
					select {
					case <-stop:
						return
					default:
					}
					if _, err := ask(t.Context(), c); err != nil {
						failed.Add(1)
						t.Error(err)
						return
					}
				}
			})
		}
		await(t, "calls", func() bool { return first.calls.Load() > 20 })
		one.kill()
		before := second.calls.Load()
		await(t, "calls without the first", func() bool { return second.calls.Load() > before+50 })
		if protocol == rpc.GRPC {
			await(t, "the first to be missed", func() bool { return !c.State().Replicas[0].Connected })
		} else {
			await(t, "the first to be ejected", func() bool { return c.State().Replicas[0].Ejected })
		}
		one.start()
		back := first.calls.Load()
		await(t, "the first to take calls again", func() bool { return first.calls.Load() > back+20 || failed.Load() > 0 })
		close(stop)
		callers.Wait()
	})
}

func TestAStoppedReplicaIsEjectedAndComesBack(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
		log, registry := &journal{}, prometheus.NewRegistry()
		good, stopped := newProcess(t, &kitchen{}), &kitchen{}
		w := newWire(t, newProcess(t, stopped).address)
		c := client(t, rpc.ClientConfig{
			Module: "kitchen", Addresses: []string{good.address, w.address()}, Protocol: protocol, Policy: brisk(),
			Log: logTo(log), Registry: registry,
		})
		connected(t, c)
		await(t, "calls to both", func() bool {
			_, err := ask(t.Context(), c)
			return err == nil && stopped.calls.Load() > 2
		})
		w.hold(true) // as SIGSTOP would: what is sent is accepted, and nobody answers
		await(t, "the stopped replica to be ejected", func() bool {
			if _, err := ask(t.Context(), c); err != nil {
				t.Fatalf("a call failed though a replica is well: %v", err)
			}
			return c.State().Replicas[1].Ejected
		})
		if got := number(t, registry, "kerf_remote_replicas", "ejected"); got != 1 {
			t.Errorf("%v replicas are ejected", got)
		}
		start := time.Now()
		for range 5 { // but for one that tries it, nobody waits any more
			if _, err := ask(t.Context(), c); err != nil {
				t.Fatal(err)
			}
		}
		if took := time.Since(start); took > 400*time.Millisecond {
			t.Errorf("five calls took %v", took)
		}
		w.hold(false)
		back := stopped.calls.Load()
		await(t, "it to take calls again", func() bool {
			if _, err := ask(t.Context(), c); err != nil {
				t.Fatal(err)
			}
			return !c.State().Replicas[1].Ejected && stopped.calls.Load() > back+3
		})
		if text := log.String(); !strings.Contains(text, "ejected a replica") || !strings.Contains(text, "replica="+w.address()) {
			t.Errorf("the log holds %s", text)
		}
	})
}

func TestAPeerThatAcceptsAndIsSilentHoldsACallNoLongerThanItsDeadline(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
		policy := brisk()
		policy.Timeout = 150 * time.Millisecond
		c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{silent(t)}, Protocol: protocol, Policy: policy})
		start := time.Now()
		_, err := ask(t.Context(), c)
		if took := time.Since(start); took > time.Second {
			t.Errorf("the call took %v", took)
		}
		if f := fault.As(err); f == nil || fault.Definite(err) || f.Kind != fault.KindDeadline {
			t.Errorf("the call ended with %v", err)
		}
	})
}

func TestACommandWhoseConnectionBreaksIsSentAgainUnderItsKey(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
		var keys sync.Map
		var w *wire
		k := &kitchen{replay: func(_ context.Context, call int64, key string) error {
			keys.Store(key, true)
			if call == 1 {
				w.cut() // the command was done; its answer is lost
			}
			return nil
		}}
		w = newWire(t, newProcess(t, k).address)
		c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{w.address()}, Protocol: protocol, Policy: rpc.Policy{Attempts: 3}})
		connected(t, c)
		if err := command(t.Context(), c, "key-1"); err != nil {
			t.Fatal(err)
		}
		if got := k.calls.Load(); got != 2 {
			t.Errorf("the owner has seen it %d times", got)
		}
		keys.Range(func(key, _ any) bool {
			if key != "key-1" {
				t.Errorf("it came under the key %v", key)
			}
			return true
		})
	})
}

func TestACommandWithoutAKeyWhoseConnectionBreaksIsOfUnknownOutcome(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
		var w *wire
		k := &kitchen{replay: func(context.Context, int64, string) error { w.cut(); return nil }}
		w = newWire(t, newProcess(t, k).address)
		c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{w.address()}, Protocol: protocol, Policy: rpc.Policy{Attempts: 3}})
		connected(t, c)
		err := command(t.Context(), c, "")
		if err == nil || fault.Definite(err) {
			t.Errorf("the call ended with %v", err)
		}
		if got := k.calls.Load(); got != 1 {
			t.Errorf("the owner has seen it %d times", got)
		}
	})
}

func TestAModuleWithoutAnyReplicaFailsFast(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
		c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{nowhere(t), nowhere(t)}, Protocol: protocol, Policy: rpc.Policy{Attempts: 3}})
		await(t, "the client to notice", func() bool {
			_, err := ask(t.Context(), c)
			coded(t, err, fault.KindUnavailable, "unreachable")
			return protocol != rpc.GRPC || !c.Ready()
		})
		start := time.Now()
		_, err := ask(t.Context(), c)
		coded(t, err, fault.KindUnavailable, "unreachable")
		if took := time.Since(start); took > 300*time.Millisecond {
			t.Errorf("it took %v", took)
		}
	})
}

func TestAddressesThatComeAndGoInDNSAreFollowed(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
		t.Parallel() // a lookup comes only every few seconds
		first, second := &kitchen{}, &kitchen{}
		one := newProcess(t, first)
		host, port, err := net.SplitHostPort(one.address)
		if err != nil {
			t.Fatal(err)
		}
		two := newProcess(t, second, func(p *process) { p.address = "127.0.0.2:" + port }) // every address of 127/8 is this machine
		var known atomic.Pointer[[]string]
		set := func(hosts ...string) { known.Store(&hosts) }
		set(host)
		c := client(t, rpc.ClientConfig{
			Module: "kitchen", Addresses: []string{"dns:///kitchen.test:" + port}, Protocol: protocol, Policy: brisk(),
			Lookup: func(_ context.Context, name string) ([]string, error) {
				if name != "kitchen.test" {
					t.Errorf("looked up %q", name)
				}
				if hosts := *known.Load(); len(hosts) > 0 {
					return hosts, nil
				}
				return nil, errors.New("no such host")
			},
		})
		if _, err := ask(t.Context(), c); err != nil { // waits for the first lookup
			t.Fatal(err)
		}
		set(host, "127.0.0.2")
		await(t, "a replica that came", func() bool {
			_, err := ask(t.Context(), c)
			return err == nil && second.calls.Load() > 0
		})
		set("127.0.0.2")
		one.kill()
		await(t, "the replica that went to be forgotten", func() bool {
			if _, err := ask(t.Context(), c); err != nil {
				t.Error(err)
			}
			replicas := c.State().Replicas
			return len(replicas) == 1 && replicas[0].Address == two.address
		})
		set() // a name server that fails takes nothing away
		for range 10 {
			if _, err := ask(t.Context(), c); err != nil {
				t.Error(err)
			}
		}
	})
}

func TestANameWithoutAddressesIsUnreachable(t *testing.T) {
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{"dns:///kitchen.test:1"},
		Lookup: func(context.Context, string) ([]string, error) { return nil, errors.New("no such host") }})
	_, err := ask(t.Context(), c)
	coded(t, err, fault.KindUnavailable, "unreachable")
	if c.Ready() {
		t.Error("it is ready")
	}
}

func TestClosingAClientEndsWhatItDoes(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
		c, err := rpc.NewClient(rpc.ClientConfig{Module: "kitchen", Protocol: protocol, Log: logTo(&journal{}), Addresses: []string{newProcess(t, &kitchen{}).address}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := ask(t.Context(), c); err != nil {
			t.Fatal(err)
		}
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
}
