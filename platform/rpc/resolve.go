package rpc

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"time"
)

const (
	dnsScheme = "dns:///"
	// lookupEvery is how often the addresses of a name are looked up.
	lookupEvery = 5 * time.Second
	// lookupLeast is how long is waited between two lookups, whatever has failed meanwhile.
	lookupLeast = 500 * time.Millisecond
)

// target is where the replicas of a module are: at addresses, or under a name.
type target struct {
	addresses  []string
	host, port string
}

func parseTarget(addresses []string) (target, error) {
	if len(addresses) == 0 {
		return target{}, errors.New("no address")
	}
	for _, address := range addresses {
		name, isName := strings.CutPrefix(address, dnsScheme)
		host, port, err := net.SplitHostPort(name)
		switch {
		case err != nil || host == "" || port == "":
			return target{}, fmt.Errorf("address %q is neither host:port nor dns:///name:port", address)
		case isName && len(addresses) > 1:
			return target{}, fmt.Errorf("address %q stands for all replicas and must be the only one", address)
		case isName:
			return target{host: host, port: port}, nil
		}
	}
	unique := slices.Clone(addresses)
	slices.Sort(unique)
	if len(slices.Compact(unique)) < len(addresses) {
		return target{}, fmt.Errorf("an address is given twice in %v", addresses)
	}
	return target{addresses: addresses}, nil
}

// follow sets the replicas to a name's addresses until ctx ends.
func (s *replicas) follow(ctx context.Context, t target) {
	lookup := s.lookup
	if lookup == nil {
		lookup = net.DefaultResolver.LookupHost
	}
	known := false
	for failed := false; ; {
		addresses, err := s.resolve(ctx, lookup, t)
		switch {
		case ctx.Err() != nil:
			return
		case err == nil:
			s.set(addresses)
		case !failed: // told once; the addresses that are known stay
			s.log.Warn("the addresses of a module cannot be looked up", "name", t.host, "error", err)
		}
		failed = err != nil
		if !known {
			known = true
			close(s.first)
		}
		if !s.wait(ctx) {
			return
		}
	}
}

func (s *replicas) resolve(ctx context.Context, lookup func(context.Context, string) ([]string, error), t target) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupEvery)
	defer cancel()
	hosts, err := lookup(ctx, t.host)
	if err != nil {
		return nil, err
	}
	if len(hosts) == 0 {
		return nil, errors.New("the name has no address")
	}
	addresses := make([]string, len(hosts))
	for i, host := range hosts {
		addresses[i] = net.JoinHostPort(host, t.port)
	}
	slices.Sort(addresses)
	return slices.Compact(addresses), nil
}

// wait waits until it is time to look addresses up again, and returns false when ctx has ended.
func (s *replicas) wait(ctx context.Context) bool {
	for _, pause := range []struct {
		least time.Duration
		early <-chan struct{}
	}{
		{lookupLeast, nil},
		{lookupEvery - lookupLeast - rand.N(lookupEvery/5), s.suspect},
	} {
		timer := time.NewTimer(pause.least)
		select {
		case <-timer.C:
		case <-pause.early:
			timer.Stop()
		case <-ctx.Done():
			timer.Stop()
			return false
		}
	}
	return true
}

// doubt has the addresses looked up soon: one of them has failed.
func (s *replicas) doubt() {
	select {
	case s.suspect <- struct{}{}:
	default: // it will be
	}
}
