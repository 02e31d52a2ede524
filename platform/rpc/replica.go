package rpc

import (
	"context"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"google.golang.org/protobuf/proto"

	"kerf/platform/fault"
)

// link carries calls to one replica by one protocol.
type link interface {
	// call fills res, or returns why not, and whether the fault is the owner's own answer.
	call(ctx context.Context, operation Operation, beside []string, req, res proto.Message) (f *fault.Error, answered bool)
	state() linkState
	// run keeps the link up until ctx ends; changed is called after each change of its state.
	run(ctx context.Context, changed func(linkState))
	close() error
}

// linkState is what is known of a link without trying it.
type linkState uint8

const (
	linkUp      linkState = iota
	linkPending           // a call would wait for the connection that is being made
	linkDown              // a call would fail at once
)

// replica is one process that has the module.
type replica struct {
	address string
	link    link
	breaker circuitbreaker.CircuitBreaker[any] // open while the replica is ejected
}

func newReplica(address string, l link, policy Ejection, log *slog.Logger) *replica {
	log = log.With("replica", address)
	return &replica{address: address, link: l, breaker: circuitbreaker.NewBuilder[any]().
		WithFailureThreshold(uint(policy.Failures)).
		WithSuccessThreshold(1).
		WithDelay(policy.Time).
		WithJitterFactor(0.2).
		OnOpen(func(e circuitbreaker.StateChangedEvent) {
			if e.OldState == circuitbreaker.ClosedState {
				log.Warn("ejected a replica: calls to it are lost or meet with silence")
			}
		}).
		OnClose(func(circuitbreaker.StateChangedEvent) { log.Info("a replica is back") }).
		Build()}
}

// patience is how long a replica may be without a connection before that is worth a warning: less than that takes a restart.
const patience = 3 * time.Second

// run keeps the replica's link up until ctx ends.
func (r *replica) run(ctx context.Context, log *slog.Logger) {
	log = log.With("replica", r.address)
	var warned atomic.Bool
	warn := time.AfterFunc(patience, func() {
		warned.Store(true)
		log.Warn("a replica cannot be reached")
	})
	defer func() { warn.Stop() }()
	if r.link.state() == linkUp {
		warn.Stop()
	}
	before := r.link.state()
	r.link.run(ctx, func(now linkState) {
		switch {
		case now == before:
			return
		case now == linkUp:
			warn.Stop()
			if warned.Swap(false) {
				log.Info("a replica is connected again")
			}
			r.breaker.Close() // whatever its last connection has met with
		case before == linkUp:
			log.Debug("lost the connection to a replica")
			warn.Reset(patience)
		}
		before = now
	})
}

func (r *replica) record(s sign) { record(r.breaker, s) }

func (r *replica) ejected() bool { return !r.breaker.IsClosed() }

func newBreaker(policy Breaker, module string, log *slog.Logger) circuitbreaker.CircuitBreaker[any] {
	return circuitbreaker.NewBuilder[any]().
		WithFailureRateThreshold(policy.Rate, uint(policy.Calls), policy.Window).
		WithSuccessThreshold(trials).
		WithDelay(policy.Open).
		WithJitterFactor(0.2).
		OnOpen(func(e circuitbreaker.StateChangedEvent) {
			if e.OldState == circuitbreaker.ClosedState {
				log.Warn("calls to a module fail too often; they are given up for now", "module", module)
			}
		}).
		OnClose(func(circuitbreaker.StateChangedEvent) { log.Info("calls to a module are made again", "module", module) }).
		Build()
}

// trials is how many calls are let through by a half-open breaker, and must succeed for it to close.
const trials = 3
