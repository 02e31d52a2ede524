package web_test

import (
	"context"
	"net/http"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/web"
)

// issuerDown cannot tell whether a token is good.
type issuerDown struct{}

func (issuerDown) Verify(context.Context, string) (identity.Principal, error) {
	return identity.Principal{}, fault.Unavailable(time.Second, "issuer_unavailable", "the keys that verify tokens cannot be had")
}

func TestATokenThatCannotBeVerifiedNowIsNotCalledBad(t *testing.T) {
	e := newEdge(t, web.Config{Verifier: issuerDown{}}, func(e *echo.Echo) {
		e.GET("/v1/things", func(c echo.Context) error { return c.NoContent(http.StatusOK) })
	})
	got := e.do(http.MethodGet, "/v1/things", "", "Authorization", "Bearer x")
	if got.status != http.StatusServiceUnavailable || got.problem(t).Code != "issuer_unavailable" || got.header.Get("Retry-After") == "" {
		t.Errorf("answer = %+v", got)
	}
}
