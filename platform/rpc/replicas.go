package rpc

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"kerf/platform/fault"
)

// replicas are the processes that have a module, as they are known now. They take calls in turn.
type replicas struct {
	module  string
	log     *slog.Logger
	eject   Ejection
	dial    func(address string) (link, error)
	longest time.Duration // no call takes longer
	lookup  func(ctx context.Context, host string) ([]string, error)

	closed  context.Context // of the client; no request's context
	running *sync.WaitGroup // of the client

	known   atomic.Pointer[[]*replica]
	first   chan struct{} // closed when addresses were looked up for the first time
	next    atomic.Uint32
	suspect chan struct{} // holds a value when addresses may be out of date
}

func newReplicas(closed context.Context, running *sync.WaitGroup, config ClientConfig, policy Policy, web *http.Transport) *replicas {
	return &replicas{
		module: config.Module, log: config.Log.With("module", config.Module), eject: policy.Ejection,
		dial: func(address string) (link, error) { return newLink(config, address, web) },
		// A proxied request is no call, and keeps what it has of the connection.
		longest: policy.Timeout + time.Second,
		lookup:  config.Lookup,
		closed:  closed, running: running,
		first: make(chan struct{}), suspect: make(chan struct{}, 1),
	}
}

func newLink(config ClientConfig, address string, web *http.Transport) (link, error) {
	switch config.Protocol {
	case Connect:
		return newConnectLink(address, config.TLS != nil, protoCodec(), web), nil
	case JSON:
		return newConnectLink(address, config.TLS != nil, jsonCodec("json"), web), nil
	}
	return newGRPCLink(address, config.TLS, config.Module)
}

// start finds the replicas of a target; those under a name, in the background.
func (s *replicas) start(t target) {
	if t.host != "" {
		s.running.Go(func() { s.follow(s.closed, t) })
		return
	}
	s.set(t.addresses)
	close(s.first)
}

// all returns the replicas that are known.
func (s *replicas) all() []*replica {
	if known := s.known.Load(); known != nil {
		return *known
	}
	return nil
}

// count returns how many replicas are in use, ejected, and not connected.
func (s *replicas) count() (used, ejected, down int) {
	for _, r := range s.all() {
		switch {
		case r.link.state() == linkDown:
			down++
		case r.ejected():
			ejected++
		default:
			used++
		}
	}
	return used, ejected, down
}

// other tells whether there is another replica to turn to than r.
func (s *replicas) other(r *replica) bool {
	all := s.all()
	return len(all) > 1 && slices.ContainsFunc(all, func(o *replica) bool {
		return o != r && o.link.state() == linkUp && !o.ejected()
	})
}

// pick returns the replica whose turn it is: the next that is connected and not ejected, or failing that one that may get connected;
// else one that is ejected; else any, which will say at once why it cannot be reached. One that was just tried comes last.
func (s *replicas) pick(ctx context.Context, tried *replica) (*replica, *fault.Error) {
	all := s.all()
	if len(all) == 0 {
		select {
		case <-s.first:
		case <-ctx.Done():
			return nil, fault.As(ctx.Err())
		}
		if all = s.all(); len(all) == 0 {
			return nil, fault.Unavailable(retryUnreachable, "unreachable", "no address of %s is known", s.module)
		}
	}
	start := int(s.next.Add(1) % uint32(len(all)))
	var pending, ejected, down *replica
	for i := range all {
		r := all[(start+i)%len(all)]
		if r == tried {
			continue
		}
		switch state := r.link.state(); {
		case state == linkDown:
			down = r
		case state == linkPending:
			pending = r
		case r.breaker.TryAcquirePermit():
			return r, nil
		default:
			ejected = r
		}
	}
	for _, r := range []*replica{pending, ejected, tried, down} {
		if r != nil && slices.Contains(all, r) {
			return r, nil
		}
	}
	return all[start], nil
}

// set makes the replicas those at addresses. Others get time to end what they do.
func (s *replicas) set(addresses []string) {
	old, now := s.all(), make([]*replica, 0, len(addresses))
	for _, address := range addresses {
		if i := slices.IndexFunc(old, func(r *replica) bool { return r.address == address }); i >= 0 {
			now = append(now, old[i])
			continue
		}
		l, err := s.dial(address)
		if err != nil {
			s.log.Error("a replica has an address that cannot be used", "replica", address, "error", err)
			continue
		}
		now = append(now, s.join(address, l))
	}
	s.known.Store(&now)
	for _, r := range old {
		if !slices.Contains(now, r) {
			s.retire(r)
		}
	}
}

// join starts a replica.
func (s *replicas) join(address string, l link) *replica {
	r := newReplica(address, l, s.eject, s.log)
	s.running.Go(func() { r.run(s.closed, s.log) })
	return r
}

// retire closes a replica when no call can use it any more.
func (s *replicas) retire(r *replica) {
	s.log.Info("a replica has gone", "replica", r.address)
	s.running.Go(func() {
		select {
		case <-time.After(s.longest):
		case <-s.closed.Done():
		}
		if err := r.link.close(); err != nil {
			s.log.Warn("a replica that has gone was not closed cleanly", "replica", r.address, "error", err)
		}
	})
}

// close closes what is left; nothing joins any more.
func (s *replicas) close() error {
	var errs []error
	for _, r := range s.all() {
		errs = append(errs, r.link.close())
	}
	return errors.Join(errs...)
}
