package rpc

import (
	"context"
	"net/http"
	"net/url"

	"google.golang.org/grpc/metadata"

	"kerf/platform/bus"
	"kerf/platform/fault"
	"kerf/platform/identity"
)

// What travels beside a request, as metadata of gRPC or as headers of HTTP.
const (
	moduleKey      = "kerf-module"      // whose operation is called: a process may serve one contract for several modules
	principalKey   = "kerf-principal"   // identity.Encode; believed only from peers that may send it
	correlationKey = "kerf-correlation" // query-escaped, since a client may have chosen it
	causationKey   = "kerf-causation"
	traceKey       = "traceparent" // W3C
)

// outgoing returns what the owner of an operation has to know of the caller: keys, each followed by its value.
func outgoing(ctx context.Context, module string) []string {
	pairs := make([]string, 0, 10)
	pairs = append(pairs, moduleKey, module)
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
	return pairs
}

// sent is what arrived beside a request.
type sent interface {
	// value returns what came under a key, empty if nothing came, or more than one value.
	value(key string) string
}

// sentMetadata came by gRPC.
type sentMetadata metadata.MD

func (s sentMetadata) value(key string) string {
	if values := s[key]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// sentHeader came by HTTP.
type sentHeader http.Header

func (s sentHeader) value(key string) string {
	if values := s[http.CanonicalHeaderKey(key)]; len(values) == 1 {
		return values[0]
	}
	return ""
}

// incoming gives the context what outgoing sent. A principal from a peer that may not send it is refused, not dropped: the call
// would otherwise go on as somebody else.
func incoming(ctx context.Context, from *caller, beside sent, speaksForUsers []string) (context.Context, *fault.Error) {
	if encoded := beside.value(principalKey); encoded != "" {
		p, err := identity.Decode(encoded)
		if err != nil {
			return nil, fault.New(fault.KindUnauthenticated, "principal", "the principal cannot be read").WithCause(err)
		}
		if !from.mayBe(p, speaksForUsers) {
			return nil, fault.New(fault.KindUnauthenticated, "untrusted_peer", "this peer may not speak for who asks")
		}
		ctx = identity.With(ctx, p)
	}
	correlation, causation := unescaped(beside, correlationKey), unescaped(beside, causationKey)
	if correlation != "" || causation != "" {
		ctx = bus.WithCause(ctx, bus.Meta{ID: causation, CorrelationID: correlation})
	}
	return bus.WithTraceParent(ctx, beside.value(traceKey)), nil
}

// unescaped returns a value that was query-escaped, and nothing for one that is malformed: it serves the log alone.
func unescaped(beside sent, key string) string {
	s, err := url.QueryUnescape(beside.value(key))
	if err != nil {
		return ""
	}
	return s
}
