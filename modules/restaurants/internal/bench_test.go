package internal

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/database/databasetest"
	"kerf/platform/identity"
	"kerf/platform/ids"
	"kerf/platform/outbox"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
)

// BenchmarkQuote is POST /v1/quotes without its network: read, price, one transaction with its fsync.
func BenchmarkQuote(b *testing.B) {
	_, handler, id := benchEdge(b)
	b.ReportAllocs()
	for b.Loop() {
		postQuote(b, handler, id)
	}
}

// BenchmarkGetQuote is what placing an order asks.
func BenchmarkGetQuote(b *testing.B) {
	service, handler, id := benchEdge(b)
	quote := postQuote(b, handler, id)
	ctx := identity.With(b.Context(), identity.Service("orders"))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := service.GetQuote(ctx, &restaurantsapi.GetQuoteRequest{QuoteId: quote, ConsumerId: strings.TrimPrefix(diner, "consumer+")}); err != nil {
			b.Fatal(err)
		}
	}
}

func benchEdge(b *testing.B) (*Service, http.Handler, string) {
	b.Helper()
	db := databasetest.Open(b, "restaurants")
	clk := fixed{}
	service := NewService(db, outbox.New(db, "restaurants", clk), clk)
	srv := web.New(web.Config{Verifier: webtest.Tokens{}})
	service.Routes(srv.Echo)
	created := send(b, srv, owner, "/v1/restaurants", creation, http.StatusCreated)
	path := created.Header().Get("Location")
	send(b, srv, owner, path+"/menus", menuBody, http.StatusCreated)
	send(b, srv, owner, path+"/opening", "{}", http.StatusOK)
	return service, srv, strings.TrimPrefix(path, "/v1/restaurants/")
}

func postQuote(b *testing.B, h http.Handler, restaurantID string) string {
	body := fmt.Sprintf(`{"restaurant_id":%q,"lines":[{"item_id":"pizza","quantity":2,"options":[{"group_id":"size","option_id":"large"}]},
		{"item_id":"tiramis","quantity":1},{"item_id":"pizza","quantity":1,"options":[{"group_id":"size","option_id":"small"}]}],
		"address":{"latitude":48.21,"longitude":16.38}}`, restaurantID)
	return strings.TrimPrefix(send(b, h, diner, "/v1/quotes", body, http.StatusCreated).Header().Get("Location"), "/v1/quotes/")
}

func send(b *testing.B, h http.Handler, who, path, body string, status int) *httptest.ResponseRecorder {
	b.Helper()
	in := httptest.NewRequest(http.MethodPost, path, strings.NewReader(body))
	in.Header.Set("Authorization", "Bearer "+who)
	in.Header.Set("Content-Type", "application/json")
	in.Header.Set("Idempotency-Key", ids.New())
	out := httptest.NewRecorder()
	h.ServeHTTP(out, in)
	if out.Code != status {
		b.Fatalf("%d: %s", out.Code, out.Body)
	}
	return out
}

// fixed is a clock that stands at noon.
type fixed struct{}

func (fixed) Now() time.Time  { return noon }
func (fixed) Wall() time.Time { return noon }
