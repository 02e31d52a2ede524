package town

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"kerf/benchmarks/load"
	"kerf/cmd/simulate/rules"
	"kerf/modules"
	"kerf/platform/config"
)

// startKerf serves from a folder of its own in this process, at a speed, until the test ends, and returns the address.
func startKerf(t *testing.T, speed float64) string {
	t.Helper()
	url, _ := serve(t, t.TempDir(), "127.0.0.1:0", speed)
	return url
}

// serve is startKerf for a folder and an address, and returns how to stop it before.
func serve(t *testing.T, data, listen string, speed float64) (url string, stop func()) {
	t.Helper()
	cfg := config.Default()
	cfg.Listen, cfg.Data, cfg.Speed, cfg.Demo, cfg.Log.Level = listen, data, speed, false, "error"
	cfg.Database.Dir = data
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	out, in := io.Pipe()
	var journal bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		err := modules.Serve(ctx, cfg, modules.Options{Version: "test", Stdout: in, Stderr: &journal})
		in.CloseWithError(errors.Join(err, io.EOF))
		ended <- err
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server failed: %v\n%s", err, journal.String())
		}
	})
	t.Cleanup(stop)
	if _, err := fmt.Fscanf(out, "ready %s\n", &url); err != nil {
		t.Fatalf("the server did not become ready: %v", err)
	}
	return url, stop
}

func settleAt(t *testing.T, url string, size Size) *Town {
	t.Helper()
	town, err := Settle(t.Context(), url, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(town.Close)
	return town
}

// offer has so many journeys of a mix made, and returns what was recorded.
func offer(t *testing.T, town *Town, mix Mix, rate float64, journeys int) (load.Outcome, load.Snapshot) {
	t.Helper()
	recorder := load.NewRecorder()
	recorder.Begin()
	outcome, err := load.Open{
		Arrivals: load.First(journeys, load.Poisson(rate, 1)), Workers: 32, MaxJourneys: 256, Recorder: recorder, Journey: town.Journey(mix),
	}.Run(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	recorder.End()
	return outcome, recorder.Snapshot()
}

// lively has couriers look often, so that a test does not wait for them.
func lively(mix Mix) Mix {
	mix.Poll = 50 * time.Millisecond
	return mix
}

// mustHold fails the test unless the town comes to rest and every invariant holds.
func mustHold(t *testing.T, town *Town) {
	t.Helper()
	if err := town.Quiet(t.Context()); err != nil {
		t.Fatal(err)
	}
	violations, told, err := town.Check(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for id, n := range violations {
		if n > 0 {
			t.Errorf("%s is violated %d times: %q", id, n, told)
		}
	}
	if len(violations) == 0 {
		t.Error("no invariant was looked at")
	}
}

// states counts the town's orders by the state that the server tells.
func states(t *testing.T, town *Town) map[string]int64 {
	t.Helper()
	books, err := rules.ReadBooks(t.Context(), town.staff)
	if err != nil {
		t.Fatal(err)
	}
	counts := map[string]int64{}
	for name, n := range books.Audits["orders"].Counters {
		if state, is := strings.CutPrefix(name, "orders_"); is && n > 0 {
			counts[state] = n
		}
	}
	return counts
}

func TestEverybodyGetsTheirOrder(t *testing.T) {
	town := settleAt(t, startKerf(t, 60), Size{Restaurants: 3, Diners: 8, Couriers: 12})
	const journeys = 24
	outcome, seen := offer(t, town, lively(Standard), 30, journeys)
	if outcome.Completed != journeys || len(seen.Errors) > 0 {
		t.Errorf("%+v, errors %v", outcome, seen.Errors)
	}
	for _, step := range Standard.Steps {
		want := int64(journeys)
		if step == Page {
			want *= 2
		}
		of := seen.Ops[string(step)]
		if of.Count != want {
			t.Errorf("%s was recorded %d times, not %d", step, of.Count, want)
		}
		if scheduled := of.Scheduled.TotalCount(); scheduled != map[bool]int64{true: journeys}[step == Search] {
			t.Errorf("%d times %s had an instant of its own; only an arrival has", scheduled, step)
		}
	}
	if seen.Ops[string(Offer)].Count == 0 {
		t.Error("the looks of couriers were not recorded, and are load like all others")
	}
	if place, approved := seen.Ops[string(Place)].Response.Max(), seen.Ops[string(Approved)].Response.Max(); approved < place {
		t.Errorf("approved after %d µs at most, and placed after %d", approved, place)
	}
	mustHold(t, town)
	if got := states(t, town); len(got) != 1 || got["delivered"] != journeys {
		t.Errorf("ended as %v", got)
	}
}

func TestOrdersThatGoOnViolateNothing(t *testing.T) {
	town := settleAt(t, startKerf(t, 1), Size{Restaurants: 2, Diners: 4, Couriers: 1})
	outcome, seen := offer(t, town, Ordering, 50, 10)
	if outcome.Completed != 10 {
		t.Fatalf("%+v, errors %v", outcome, seen.Errors)
	}
	order, err := town.placeOne(t.Context(), 77)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := town.Seen(t.Context(), order, "APPROVED"); err != nil {
		t.Fatal(err)
	}
	if err := town.Accept(t.Context(), 0, order); err != nil {
		t.Fatal(err)
	}
	if _, err := town.Seen(t.Context(), order, "ACCEPTED"); err != nil {
		t.Fatal(err)
	}
	mustHold(t, town)
	if got := states(t, town); got["approved"] != 10 || got["accepted"] != 1 {
		t.Errorf("the orders are %v", got)
	}
}

// placeOne orders by single requests.
func (t *Town) placeOne(ctx context.Context, n int) (string, error) {
	quote, err := t.QuoteFor(ctx, 0, n)
	if err != nil {
		return "", err
	}
	return t.PlaceQuote(ctx, 0, n, quote)
}

func TestSingleRequestsTellWhatTheyShow(t *testing.T) {
	town, ctx := settleAt(t, startKerf(t, 1), Size{Restaurants: 2, Diners: 4, Couriers: 1}), t.Context()
	order, err := town.placeOne(ctx, 1)
	if err != nil {
		t.Fatal(err)
	}
	told, err := town.Seen(ctx, order, "")
	if err != nil {
		t.Fatal(err)
	}
	approved, err := town.Seen(ctx, order, "APPROVED")
	if err != nil || approved.Before(told) {
		t.Errorf("told of at %s, approved at %s, %v", told, approved, err)
	}
	if state, err := town.State(ctx, 0, order); err != nil || state != "APPROVED" {
		t.Errorf("the order is %q, %v", state, err)
	}
	if missing, err := town.PageOf(ctx, 0, order); err != nil || missing != 0 {
		t.Errorf("the page misses %d parts, %v", missing, err)
	}
	if listed, err := town.Listed(ctx, 0, order); err != nil || !listed {
		t.Errorf("the order is listed: %v, %v", listed, err)
	}
	for name, err := range map[string]error{
		"search": town.SearchNow(ctx, 0, 3), "tracking": town.TrackingOf(ctx, 0, order), "ticket": town.TicketOf(ctx, 0, order),
		"courier": town.CourierLook(ctx, 0, 5), "accept": town.Accept(ctx, 0, order),
	} {
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := town.Accept(ctx, 0, order); !strings.HasPrefix(load.Kind(err), "4") {
		t.Errorf("a second acceptance: %v", err)
	}
	if _, err := town.PageOf(ctx, 0, "nobody's"); err == nil {
		t.Error("an order of nobody's was looked at")
	}
}

func TestACourierWhoseOrderFailsIsFreeForTheNext(t *testing.T) {
	var broken atomic.Int32
	url := through(t, startKerf(t, 60), func(w http.ResponseWriter, r *http.Request, next http.Handler) {
		// The first to stand at a counter finds no server, and so does not get on.
		if strings.HasSuffix(r.URL.Path, "/arrival-at-pickup") && broken.CompareAndSwap(0, 1) {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		next.ServeHTTP(w, r)
	})
	town := settleAt(t, url, Size{Restaurants: 1, Diners: 2, Couriers: 1})
	outcome, seen := offer(t, town, lively(Standard), 50, 3)
	if outcome.Failed != 1 || outcome.Completed != 2 || seen.Errors["at_pickup: 503"] != 1 {
		t.Errorf("%+v, errors %v", outcome, seen.Errors)
	}
	if outcome.Failure == nil || !strings.HasPrefix(outcome.Failure.Error(), "at_pickup: 503") {
		t.Errorf("the failure is %v", outcome.Failure)
	}
	mustHold(t, town)
	if got := states(t, town); got["delivered"] != 2 || got["cancelled"] != 1 {
		t.Errorf("ended as %v", got)
	}
}

// TestATownOutlivesItsServer stops the server under load, and starts another on the same data.
func TestATownOutlivesItsServer(t *testing.T) {
	data := t.TempDir()
	url, stop := serve(t, data, "127.0.0.1:0", 1)
	town := settleAt(t, url, Size{Restaurants: 2, Diners: 8, Couriers: 1})
	ended := make(chan struct{})
	var placed atomic.Int32
	some := make(chan struct{})
	type made struct {
		outcome load.Outcome
		err     error
	}
	all := make(chan made, 1)
	go func() {
		o, err := load.Closed{Clients: 4, Recorder: load.NewRecorder(), Stop: ended, Journey: func(ctx context.Context, c *load.Caller, n int, at time.Time) error {
			err := town.Journey(Ordering)(ctx, c, n, at)
			if err == nil && placed.Add(1) == 10 {
				close(some)
			}
			return err
		}}.Run(t.Context())
		all <- made{o, err}
	}()
	<-some
	stop()
	close(ended)
	serve(t, data, strings.TrimPrefix(url, "http://"), 0)
	if m := <-all; m.err != nil || m.outcome.Completed < 10 {
		t.Errorf("%+v, %v", m.outcome, m.err)
	}
	mustHold(t, town)
	order, err := town.placeOne(t.Context(), 1)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := town.Seen(t.Context(), order, "APPROVED"); err != nil {
		t.Errorf("the stream was not taken up again: %v", err)
	}
	mustHold(t, town)
}

func TestATownIsReachedOverTLS(t *testing.T) {
	backend := startKerf(t, 1)
	proxy := httptest.NewUnstartedServer(proxyTo(t, backend))
	proxy.Config.ErrorLog = log.New(io.Discard, "", 0) // of the one who does not trust it
	proxy.StartTLS()
	t.Cleanup(proxy.Close)
	if _, err := Settle(t.Context(), proxy.URL, Size{Diners: 1}); err == nil {
		t.Error("a certificate of nobody's was trusted")
	}
	trust := proxy.Client().Transport.(*http.Transport).TLSClientConfig
	town, err := Config{URL: proxy.URL, TLS: trust, Size: Size{Restaurants: 1, Diners: 1, Couriers: 1}}.Settle(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(town.Close)
	for _, mix := range []Mix{Browsing, Ordering} {
		if outcome, seen := offer(t, town, mix, 50, 3); outcome.Completed != 3 {
			t.Errorf("%s: %+v, errors %v", mix.Name, outcome, seen.Errors)
		}
	}
	mustHold(t, town)
}

func TestWhereNoTownCanBeIsToldInOneLine(t *testing.T) {
	answer := func(handler http.HandlerFunc) string {
		s := httptest.NewServer(handler)
		t.Cleanup(s.Close)
		return s.URL
	}
	clock := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/clock" {
			w.Header().Set("Content-Type", "application/problem+json")
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, `{"status":403,"code":"forbidden","title":"no"}`)
			return
		}
		_, _ = io.WriteString(w, `{"now":"2026-01-02T03:04:05Z","speed":1,"segments":[]}`)
	}
	gone := answer(clock)
	nobody := httptest.NewServer(nil)
	nobody.Close()
	for name, c := range map[string]struct{ url, told string }{
		"nobody listens":   {nobody.URL, "does not answer as a Kerf does"},
		"something else":   {answer(http.NotFound), "does not answer as a Kerf does"},
		"another JSON":     {answer(func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "{}") }), "tells no time"},
		"no tokens for us": {gone, "grants no tokens"},
		"no address":       {"127.0.0.1:80", "is not the address of a server"},
	} {
		_, err := Settle(t.Context(), c.url, Size{})
		if err == nil || !strings.Contains(err.Error(), c.told) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
	}
}
