package rpc

import (
	"context"
	"crypto/tls"
	"net"
	"slices"
	"strings"

	"google.golang.org/grpc/peer"

	"kerf/platform/fault"
	"kerf/platform/identity"
)

// caller is the process at the other end of a connection. It is told from the connection once, when that is accepted.
type caller struct {
	// encrypted is true of TLS. Without it nobody proves anything, and only processes on this machine are believed.
	encrypted bool
	local     bool
	// modules are those that the certificate names.
	modules []string
}

// callerAt tells who is at the other end. With TLS, the handshake must be over.
func callerAt(conn net.Conn) *caller {
	c := &caller{local: isLocal(conn.RemoteAddr())}
	if secured, ok := conn.(*tls.Conn); ok {
		c.encrypted = true
		if chains := secured.ConnectionState().VerifiedChains; len(chains) > 0 {
			c.modules = modulesOf(chains[0][0])
		}
	}
	return c
}

func isLocal(address net.Addr) bool {
	switch a := address.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}

// AuthType makes a caller what grpc-go keeps of a handshake.
func (c *caller) AuthType() string {
	if c.encrypted {
		return "tls"
	}
	return "none"
}

// grpcCaller returns who makes a call of gRPC: handshaken has put it there.
func grpcCaller(ctx context.Context) *caller {
	if p, ok := peer.FromContext(ctx); ok {
		if c, ok := p.AuthInfo.(*caller); ok {
			return c
		}
	}
	return &caller{}
}

type callerKey struct{}

// httpCaller returns who makes a call over HTTP: Internal has put it there.
func httpCaller(ctx context.Context) *caller {
	if c, ok := ctx.Value(callerKey{}).(*caller); ok {
		return c
	}
	return &caller{}
}

// refuse returns why the caller must not call an operation of a module, or nil.
func (c *caller) refuse(allow func(callers []string, module, operation string) bool, module, operation string) *fault.Error {
	if !c.encrypted {
		if c.local {
			return nil
		}
		return fault.Forbidden("caller_not_allowed", "without certificates only processes on this machine are served")
	}
	if len(c.modules) == 0 {
		return fault.New(fault.KindUnauthenticated, "certificate_required", "an operation needs a certificate that names a module")
	}
	if allow != nil && !allow(c.modules, module, operation) {
		return fault.Forbidden("caller_not_allowed", "%s may not call %s of %s", strings.Join(c.modules, ", "), operation, module)
	}
	return nil
}

// mayBe tells whether the caller's word is taken that p asks. A module is believed to be itself; of others speak only those modules
// that let users in.
func (c *caller) mayBe(p identity.Principal, speaksForUsers []string) bool {
	if !c.encrypted {
		return c.local
	}
	if module, ok := strings.CutPrefix(p.Subject, servicePrefix); ok || p.Has(identity.RoleService) {
		return ok && slices.Contains(c.modules, module) && slices.Equal(p.Roles, []identity.Role{identity.RoleService})
	}
	return slices.ContainsFunc(c.modules, func(module string) bool { return slices.Contains(speaksForUsers, module) })
}

// servicePrefix begins the subjects that identity.Service makes.
const servicePrefix = "service:"
