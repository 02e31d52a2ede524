package rpc

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"

	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/metadata"

	"kerf/platform/bus"
	"kerf/platform/fault"
	"kerf/platform/identity"
)

// What travels beside a request, as metadata of gRPC or as headers of HTTP.
const (
	// callKey says what is called, by whom and why, in words: the module, since a process may serve one contract for several; the
	// principal (identity.Encode); the correlation id and the causation id. Each but the first may be missing or "-". One header for all,
	// since each costs about a microsecond of a call that takes thirty.
	callKey  = "kerf-call"
	traceKey = "traceparent" // W3C
)

// outgoing returns what the owner of an operation has to know of the caller: keys, each followed by its value.
func outgoing(ctx context.Context, module string) []string {
	var principal string
	if p, ok := identity.From(ctx); ok {
		principal = identity.Encode(p) // query-escaped, as the ids are, which a client may have chosen
	}
	correlation, causation := bus.CauseOf(ctx)
	words := module + " " + word(principal) + " " + word(url.QueryEscape(correlation)) + " " + word(url.QueryEscape(causation))
	if !trace.SpanContextFromContext(ctx).IsValid() {
		return []string{callKey, words}
	}
	var parent traceParent
	propagation.TraceContext{}.Inject(ctx, &parent)
	return []string{callKey, words, traceKey, string(parent)}
}

const missing = "-"

func word(s string) string {
	if s == "" {
		return missing
	}
	return s
}

// about is what callKey says.
type about struct{ module, principal, correlation, causation string }

func parseAbout(words string) about {
	var a about
	for _, to := range []*string{&a.module, &a.principal, &a.correlation, &a.causation} {
		if *to, words, _ = strings.Cut(words, " "); *to == missing {
			*to = ""
		}
	}
	// The ids serve the log alone: what is malformed there is left out.
	a.correlation, _ = url.QueryUnescape(a.correlation)
	a.causation, _ = url.QueryUnescape(a.causation)
	return a
}

// traceParent carries a trace context without its vendors' state. It is a map of one key.
type traceParent string

func (t *traceParent) Get(key string) string {
	if key == traceKey {
		return string(*t)
	}
	return ""
}

func (t *traceParent) Set(key, value string) {
	if key == traceKey {
		*t = traceParent(value)
	}
}

func (t *traceParent) Keys() []string { return []string{traceKey} }

// sent is what arrived beside a request.
type sent interface {
	// value returns what came under a key, empty if nothing came, or more than one value.
	value(key string) string
}

// sentMetadata came by gRPC, and is in the context, of which all of it would be a large copy.
type sentMetadata struct{ ctx context.Context }

func (s sentMetadata) value(key string) string {
	if values := metadata.ValueFromIncomingContext(s.ctx, key); len(values) == 1 {
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
func (s *Server) incoming(ctx context.Context, from *caller, about about, parent traceParent) (context.Context, *fault.Error) {
	if about.principal != "" {
		p, err := s.principals.decode(about.principal)
		if err != nil {
			return nil, fault.New(fault.KindUnauthenticated, "principal", "the principal cannot be read").WithCause(err)
		}
		if !from.mayBe(p, s.config.SpeaksForUsers) {
			return nil, fault.New(fault.KindUnauthenticated, "untrusted_peer", "this peer may not speak for who asks")
		}
		ctx = identity.With(ctx, p)
	}
	if about.correlation != "" || about.causation != "" {
		ctx = bus.WithCause(ctx, bus.Meta{ID: about.causation, CorrelationID: about.correlation})
	}
	if parent != "" {
		ctx = propagation.TraceContext{}.Extract(ctx, &parent)
	}
	return ctx, nil
}

// principals remembers what was decoded: few modules and users make many calls. Principals are not changed, and so are shared.
type principals struct {
	known sync.Map // of identity.Principal, by what it was decoded from
	count atomic.Int32
}

const (
	mostPrincipals    = 1024
	longestRemembered = 256 // bytes
)

func (c *principals) decode(encoded string) (identity.Principal, error) {
	if p, ok := c.known.Load(encoded); ok {
		return p.(identity.Principal), nil
	}
	p, err := identity.Decode(encoded)
	if err != nil || len(encoded) > longestRemembered {
		return p, err
	}
	if c.count.Add(1) > mostPrincipals {
		c.known.Clear()
		c.count.Store(1)
	}
	c.known.Store(strings.Clone(encoded), p)
	return p, nil
}
