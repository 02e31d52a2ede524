package rpc

import (
	"context"
	"net"
	"net/url"

	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/peer"

	"kerf/platform/bus"
	"kerf/platform/fault"
	"kerf/platform/identity"
)

// What travels beside a request.
const (
	moduleKey      = "kerf-module"      // whose operation is called: a process may serve one contract for several modules
	principalKey   = "kerf-principal"   // identity.Encode; believed only from trusted peers
	correlationKey = "kerf-correlation" // query-escaped, since a client may have chosen it
	causationKey   = "kerf-causation"
	traceKey       = "traceparent" // W3C
)

// outgoing adds to the context what the owner of the operation has to know of the caller.
func outgoing(ctx context.Context, module string) context.Context {
	pairs := []string{moduleKey, module}
	if p, ok := identity.From(ctx); ok {
		pairs = append(pairs, principalKey, identity.Encode(p))
	}
	correlation, causation := bus.CauseOf(ctx)
	if correlation != "" {
		pairs = append(pairs, correlationKey, url.QueryEscape(correlation))
	}
	if causation != "" {
		pairs = append(pairs, causationKey, url.QueryEscape(causation))
	}
	if trace := bus.TraceParentOf(ctx); trace != "" {
		pairs = append(pairs, traceKey, trace)
	}
	return metadata.AppendToOutgoingContext(ctx, pairs...)
}

// incoming gives the context what outgoing sent. A principal from a peer that may not send one is refused, not dropped: the call
// would otherwise go on as somebody else.
func incoming(ctx context.Context, trust func(*peer.Peer) bool) (context.Context, error) {
	sent, _ := metadata.FromIncomingContext(ctx)
	if encoded := value(sent, principalKey); encoded != "" {
		from, ok := peer.FromContext(ctx)
		if !ok || !trust(from) {
			return nil, fault.New(fault.KindUnauthenticated, "untrusted_peer", "this peer may not speak for others")
		}
		p, err := identity.Decode(encoded)
		if err != nil {
			return nil, fault.New(fault.KindUnauthenticated, "principal", "the principal cannot be read").WithCause(err)
		}
		ctx = identity.With(ctx, p)
	}
	correlation, causation := unescaped(sent, correlationKey), unescaped(sent, causationKey)
	if correlation != "" || causation != "" {
		ctx = bus.WithCause(ctx, bus.Meta{ID: causation, CorrelationID: correlation})
	}
	return bus.WithTraceParent(ctx, value(sent, traceKey)), nil
}

func value(sent metadata.MD, key string) string {
	if values := sent.Get(key); len(values) == 1 {
		return values[0]
	}
	return ""
}

// unescaped returns a value that was query-escaped, and nothing for one that is malformed: it serves the log alone.
func unescaped(sent metadata.MD, key string) string {
	s, err := url.QueryUnescape(value(sent, key))
	if err != nil {
		return ""
	}
	return s
}

// Loopback trusts peers on this machine, and no other. It is the rule where there are no certificates.
func Loopback(p *peer.Peer) bool {
	switch address := p.Addr.(type) {
	case *net.TCPAddr:
		return address.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}
