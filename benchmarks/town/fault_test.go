package town

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// proxyTo passes everything on, the live stream as it comes.
func proxyTo(t *testing.T, target string) *httputil.ReverseProxy {
	t.Helper()
	address, err := url.Parse(target)
	if err != nil {
		t.Fatal(err)
	}
	return &httputil.ReverseProxy{
		Rewrite:       func(r *httputil.ProxyRequest) { r.SetURL(address) },
		FlushInterval: -1,
		// A stream that ends with the test is none of its business.
		ErrorHandler: func(w http.ResponseWriter, _ *http.Request, _ error) { w.WriteHeader(http.StatusBadGateway) },
	}
}

// through gives the address of a proxy before a target, which may answer by itself.
func through(t *testing.T, target string, between func(http.ResponseWriter, *http.Request, http.Handler)) string {
	t.Helper()
	proxy := proxyTo(t, target)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { between(w, r, proxy) }))
	t.Cleanup(s.Close)
	return s.URL
}

// lie changes what a server says: answers to a method whose path matches.
type lie struct {
	method, path string // the path is a regular expression
	status       int    // answered instead, with an empty problem, if not 0
	from, to     string // otherwise the body is changed
}

// liar is a proxy that lies as it is told to.
type liar struct{ lie atomic.Pointer[lie] }

func (l *liar) modify(res *http.Response) error {
	lie := l.lie.Load()
	if lie == nil || res.Request.Method != lie.method || !regexp.MustCompile("^"+lie.path+"$").MatchString(res.Request.URL.Path) {
		return nil
	}
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	if lie.status != 0 {
		res.StatusCode, body = lie.status, fmt.Appendf(nil, `{"status":%d,"code":"not_found","title":"not found"}`, lie.status)
		res.Header.Set("Content-Type", "application/problem+json")
	} else {
		body = regexp.MustCompile(lie.from).ReplaceAll(body, []byte(lie.to))
	}
	res.Body = io.NopCloser(bytes.NewReader(body))
	res.ContentLength = int64(len(body))
	res.Header.Set("Content-Length", strconv.Itoa(len(body)))
	return nil
}

// TestPlantedFaultsAreFound has a town live well, and then tells lies about it one after another: each must be found, and nothing once none is told.
func TestPlantedFaultsAreFound(t *testing.T) {
	var l liar
	proxy := proxyTo(t, startKerf(t, 60))
	proxy.ModifyResponse = l.modify
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	town := settleAt(t, server.URL, Size{Restaurants: 2, Diners: 3, Couriers: 4})
	town.settling = 10 * time.Millisecond
	if outcome, seen := offer(t, town, lively(Standard), 50, 6); outcome.Completed != 6 {
		t.Fatalf("%+v, errors %v", outcome, seen.Errors)
	}
	mustHold(t, town)

	some := town.orders.snapshot()[0]
	page := "/v1/orders/" + some.id
	for name, c := range map[string]struct {
		lie      lie
		violated string
	}{
		"an acknowledged order is gone":     {lie{"GET", page, 404, "", ""}, "I1"},
		"an order costs more than was said": {lie{"GET", page, 0, `"total":\{"amount":\d+,"currency":"EUR"\},"cancellation_fee"`, `"total":{"amount":1,"currency":"EUR"},"cancellation_fee"`}, "I1"},
		"an order is somebody else's":       {lie{"GET", page, 0, some.quoteID, "01a20d8b-0000-7000-8000-000000000000"}, "I1"},
		"an order is not listed":            {lie{"GET", "/v1/orders", 0, some.quoteID, "01a20d8b-0000-7000-8000-000000000000"}, "I1"},
		"nobody asked for an order":         {lie{"GET", "/v1/orders", 0, some.quoteID, "01a20d8b-0000-7000-8000-000000000000"}, "I2"},
		"an order was charged twice":        {lie{"GET", "/v1/ledger/postings", 0, `"order_id":"[^"]*"`, `"order_id":"` + some.id + `"`}, "I3"},
		"a repeat is a new order":           {lie{"POST", "/v1/orders", 0, `"id":"`, `"id":"9`}, "I4"},
		"too little was captured":           {lie{"GET", page, 0, `"captured":\{"amount":\d`, `"captured":{"amount":`}, "I5"},
		"the ledger is off":                 {lie{"GET", "/v1/ledger", 0, `"imbalance":0`, `"imbalance":5`}, "I5"},
		"the sums differ":                   {lie{"GET", "/v1/audit/orders", 0, `"charges_EUR":\d`, `"charges_EUR":`}, "I5"},
		"couriers disagree":                 {lie{"GET", "/v1/audit/delivery", 0, `"courier_disagreements":0`, `"courier_disagreements":1`}, "I6"},
		"a view has stopped":                {lie{"GET", "/v1/tracking/?.*", 0, `"status":"DELIVERED"`, `"status":"READY"`}, "I8"},
		"a view was forgotten":              {lie{"GET", "/v1/tracking/?.*", 0, some.id, "01a20d8b-0000-7000-8000-000000000000"}, "I8"},
		"a saga does not end":               {lie{"GET", "/v1/audit/orders", 0, `"sagas_open":0`, `"sagas_open":1`}, "I9"},
		"an order does not get on":          {lie{"GET", page, 0, `"state":"DELIVERED","consumer_id"`, `"state":"PENDING","consumer_id"`}, "I9"},
		"an event was lost":                 {lie{"GET", "/v1/audit/kitchen", 0, `"written":(\d+)`, `"written":9$1`}, "I10"},
		"a message is parked":               {lie{"GET", "/v1/audit/tracking", 0, `"parked":0`, `"parked":1`}, "I10"},
		"money is held for an ended order":  {lie{"GET", page, 0, `"state":"CAPTURED"`, `"state":"AUTHORIZED"`}, "I12"},
		"an authorisation is of no order's": {lie{"GET", "/v1/audit/accounting", 0, `"authorisations_held":0`, `"authorisations_held":1`}, "I12"},
	} {
		l.lie.Store(&c.lie)
		violations, told, err := town.Check(t.Context())
		if err != nil {
			t.Errorf("%s: %v", name, err)
		} else if violations[c.violated] == 0 || !strings.Contains(strings.Join(told, "\n"), c.violated+": ") {
			t.Errorf("%s: found %v, told %q", name, violations, told)
		}
	}
	l.lie.Store(nil)
	mustHold(t, town)
}

// TestAnOrderThatNobodyAnsweredIsNoViolation loses the answer to an order that the server has taken.
func TestAnOrderThatNobodyAnsweredIsNoViolation(t *testing.T) {
	var l liar
	proxy := proxyTo(t, startKerf(t, 1))
	proxy.ModifyResponse = l.modify
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	town := settleAt(t, server.URL, Size{Restaurants: 1, Diners: 1, Couriers: 1})
	quote, err := town.QuoteFor(t.Context(), 0, 1)
	if err != nil {
		t.Fatal(err)
	}
	l.lie.Store(&lie{"POST", "/v1/orders", 503, "", ""})
	if _, err := town.PlaceQuote(t.Context(), 0, 1, quote); err == nil {
		t.Fatal("the answer was not lost")
	}
	l.lie.Store(&lie{"POST", "/v1/quotes", 404, "", ""})
	if _, err := town.QuoteFor(t.Context(), 0, 2); err == nil {
		t.Fatal("the answer was not lost")
	}
	l.lie.Store(nil)
	mustHold(t, town)
	if got := states(t, town); got["approved"] != 1 {
		t.Errorf("the server has %v; the order was to be taken", got)
	}
	// Had the server said that it would not have it, it must not be there.
	for _, o := range town.orders.snapshot() {
		town.orders.refuse(o, "quote_expired")
	}
	violations, _, err := town.Check(t.Context())
	if err != nil || violations["I2"] != 1 {
		t.Errorf("found %v, %v", violations, err)
	}
}
