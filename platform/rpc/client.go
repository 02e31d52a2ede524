package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/bulkhead"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/protobuf/proto"

	"kerf/platform/fault"
)

// Protocol is how operations elsewhere are called. A server answers all of them.
type Protocol string

const (
	// GRPC is gRPC over HTTP/2, by grpc-go: twice as many calls as the others.
	GRPC Protocol = "grpc"
	// Connect is the Connect protocol with protobuf over HTTP/1.1.
	Connect Protocol = "connect"
	// JSON is the Connect protocol with JSON over HTTP/1.1, which anything can read.
	JSON Protocol = "json"
)

// ClientConfig is what a Client is made of.
type ClientConfig struct {
	// Module is whose operations are called. With TLS, a server has to prove that it has this module.
	Module string
	// Addresses are the module's replicas, each host:port; or one target dns:///name:port, whose addresses are looked up again and again.
	Addresses []string
	// Protocol is GRPC if empty.
	Protocol Protocol
	// Policy is DefaultPolicy where it is zero.
	Policy Policy
	// TLS is who this process is; nil is for processes of one machine.
	TLS *TLS
	Log *slog.Logger
	// Registry holds the metrics; nil keeps none. Clients of several modules share it.
	Registry prometheus.Registerer
	// Lookup returns the addresses of a host of a dns target; nil asks the system's resolver.
	Lookup func(ctx context.Context, host string) ([]string, error)
}

// Client calls the operations of one module at its replicas. It is safe for concurrent use.
type Client struct {
	module   string
	policy   Policy
	replicas *replicas
	web      *http.Transport
	bulkhead bulkhead.Bulkhead[any]
	breaker  circuitbreaker.CircuitBreaker[any]
	retrying failsafe.Executor[*call]
	budget   *budget
	counts   counts

	registry  prometheus.Registerer
	collector prometheus.Collector
	end       context.CancelFunc
	running   sync.WaitGroup
}

// NewClient returns a client that connects in the background: a module need not be there yet.
func NewClient(config ClientConfig) (*Client, error) {
	if config.Protocol == "" {
		config.Protocol = GRPC
	}
	if !slices.Contains([]Protocol{GRPC, Connect, JSON}, config.Protocol) {
		return nil, fmt.Errorf("calls to %s: protocol %q is none of grpc, connect, json", config.Module, config.Protocol)
	}
	policy := DefaultPolicy().Over(config.Policy)
	if err := errors.Join(policy.Validate("calls to " + config.Module)...); err != nil {
		return nil, err
	}
	target, err := parseTarget(config.Addresses)
	if err != nil {
		return nil, fmt.Errorf("calls to %s: %w", config.Module, err)
	}
	closed, end := context.WithCancel(context.Background())
	c := &Client{
		module: config.Module, policy: policy,
		web:      newWebTransport(config.TLS, config.Module),
		bulkhead: bulkhead.New[any](uint(policy.Bulkhead.Calls)),
		breaker:  newBreaker(policy.Breaker, config.Module, config.Log),
		budget:   newBudget(policy.Budget),
		registry: config.Registry, end: end,
	}
	c.retrying = c.newRetries()
	c.replicas = newReplicas(closed, &c.running, config, policy, c.web)
	c.replicas.start(target)
	c.collector = newCollector(c)
	if c.registry != nil {
		if err := c.registry.Register(c.collector); err != nil {
			return nil, errors.Join(fmt.Errorf("register the metrics of calls to %s: %w", config.Module, err), c.Close())
		}
	}
	return c, nil
}

// Close ends the connections. Calls that are still under way fail.
func (c *Client) Close() error {
	c.end()
	c.running.Wait()
	err := c.replicas.close()
	c.web.CloseIdleConnections()
	if c.registry != nil {
		c.registry.Unregister(c.collector)
	}
	return err
}

// Call calls an operation of the module at one of its replicas, and at another if that cannot be reached and the call may be made
// twice. The caller's principal, cause and trace go along. The owner gets as much time as the caller has, less a little for the way
// back, and no more than the policy's timeout.
func (c *Client) Call(ctx context.Context, operation Operation, req, res proto.Message) error {
	if !c.bulkhead.TryAcquirePermit() {
		if f := c.queue(ctx); f != nil {
			return f
		}
	}
	defer c.bulkhead.ReleasePermit()
	if !c.breaker.TryAcquirePermit() {
		c.counts.open.Add(1)
		after := c.breaker.RemainingDelay()
		if after == 0 { // half-open, and enough calls are trying
			after = c.policy.Breaker.Open
		}
		return fault.Unavailable(after, "circuit_open", "calls to %s have failed too often", c.module)
	}
	now := time.Now()
	k := &call{
		client: c, operation: operation, req: req, res: res,
		beside: outgoing(ctx, c.module), start: now, deadline: c.deadline(ctx, now), repeatable: operation.repeatable(req),
	}
	c.budget.deposit()
	k.run(ctx)
	record(c.breaker, k.sign)
	if k.fault == nil {
		return nil
	}
	return k.fault
}

// queue waits for a place among the calls under way.
func (c *Client) queue(ctx context.Context) *fault.Error {
	err := c.bulkhead.AcquirePermitWithMaxWait(ctx, c.policy.Bulkhead.Wait)
	if errors.Is(err, bulkhead.ErrFull) {
		c.counts.full.Add(1)
		return fault.Unavailable(retryUnreachable, "bulkhead_full", "too many calls to %s are under way", c.module)
	}
	return fault.As(err)
}

// reserve is what is kept of a caller's time for the way back, so that it learns of a deadline before its own has passed.
const reserve = 20 * time.Millisecond

// deadline returns when a call has to be answered.
func (c *Client) deadline(ctx context.Context, now time.Time) time.Time {
	latest := now.Add(c.policy.Timeout)
	if d, ok := ctx.Deadline(); ok {
		d = d.Add(-min(d.Sub(now)/10, reserve))
		if d.Before(latest) {
			return d
		}
	}
	return latest
}

// Ready tells whether a call would probably reach the module now.
func (c *Client) Ready() bool {
	return c.breaker.State() != circuitbreaker.OpenState && slices.ContainsFunc(c.State().Replicas, func(r ReplicaState) bool {
		return r.Connected && !r.Ejected
	})
}

// ClientState is how a module is reached, for display.
type ClientState struct {
	Replicas []ReplicaState
	// Breaker is closed, half-open or open: open is when calls fail at once.
	Breaker string
}

// ReplicaState is one replica of a module.
type ReplicaState struct {
	Address string
	// Connected is true of a replica with a connection; over HTTP/1.1 of every replica, as connections come and go there.
	Connected bool
	Ejected   bool
}

// State returns how the module is reached now.
func (c *Client) State() ClientState {
	state := ClientState{Breaker: c.breaker.State().String()}
	for _, r := range c.replicas.all() {
		state.Replicas = append(state.Replicas, ReplicaState{
			Address: r.address, Connected: r.link.state() == linkUp, Ejected: r.ejected(),
		})
	}
	return state
}
