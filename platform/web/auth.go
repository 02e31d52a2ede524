package web

import (
	"context"
	"errors"
	"net"
	"net/http"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"

	"kerf/platform/fault"
	"kerf/platform/identity"
)

// authenticate returns the bearer of the request's token. Without an Authorization header nobody is known, which is no error:
// the route decides whether it asks for somebody. A header that proves nothing is refused even where nobody is asked for.
func (s *Server) authenticate(ctx context.Context, h http.Header) (p identity.Principal, known bool, err error) {
	values := h["Authorization"]
	if len(values) == 0 {
		return p, false, nil
	}
	scheme, token, _ := strings.Cut(values[0], " ")
	if len(values) > 1 || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return p, false, invalidToken(errors.New("not one Bearer token"))
	}
	if s.config.Verifier == nil {
		return p, false, invalidToken(errors.New("no verifier"))
	}
	p, err = s.config.Verifier.Verify(ctx, token)
	if fault.KindOf(err) == fault.KindUnavailable {
		return p, false, err // the token may be good
	}
	if err != nil {
		return p, false, invalidToken(err)
	}
	return p, true, nil
}

func invalidToken(cause error) error {
	return fault.New(fault.KindUnauthenticated, codeInvalidToken, "the token is not valid").WithCause(cause)
}

// codeInvalidToken tells a bad token from none, in the problem and in WWW-Authenticate.
const codeInvalidToken = "invalid_token"

// Require returns who asks, if he has any of the roles; any authenticated caller will do if none is given. Otherwise it
// answers Unauthenticated or Forbidden.
func Require(c echo.Context, roles ...identity.Role) (identity.Principal, error) {
	p, ok := identity.From(c.Request().Context())
	if !ok {
		return p, fault.Unauthenticated("send a Bearer token")
	}
	if len(roles) > 0 && !p.Has(roles...) {
		return p, fault.Forbidden("forbidden", "this is for others: %s", roleNames(roles))
	}
	return p, nil
}

func roleNames(roles []identity.Role) string {
	names := make([]string, len(roles))
	for i, r := range roles {
		names[i] = string(r)
	}
	slices.Sort(names)
	return strings.Join(names, ", ")
}

// RequireLoopback answers Forbidden unless the request was sent on this machine, to a local name, and by nobody's proxy. The
// name matters: a web page elsewhere can make its own name resolve to 127.0.0.1.
func RequireLoopback(c echo.Context) error {
	in := c.Request()
	peer, _, err := net.SplitHostPort(in.RemoteAddr)
	forwarded := in.Header.Get("Forwarded") != "" || in.Header.Get("X-Forwarded-For") != ""
	if err != nil || forwarded || !isLoopback(peer) || !isLoopback(hostname(in.Host)) {
		return fault.Forbidden("loopback_only", "this is answered on the machine itself only")
	}
	return nil
}

func hostname(hostport string) string {
	if host, _, err := net.SplitHostPort(hostport); err == nil {
		return host
	}
	return strings.Trim(hostport, "[]")
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
