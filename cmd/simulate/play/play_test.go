package play

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"kerf/cmd/simulate/day"
	"kerf/modules"
	"kerf/platform/config"
)

// server is Kerf in this process.
type server struct {
	url  string
	stop func()
}

// startServer serves from a data folder at a speed, on a port of its own, until it is stopped or the test ends.
func startServer(t *testing.T, data string, speed float64, listen string) *server {
	t.Helper()
	cfg := config.Default()
	cfg.Listen, cfg.Data, cfg.Speed, cfg.Demo, cfg.Log.Level = listen, data, speed, false, "error"
	cfg.Database.Dir = data
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	out, in := io.Pipe()
	var log bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		err := modules.Serve(ctx, cfg, modules.Options{Version: "test", Stdout: in, Stderr: &log})
		in.CloseWithError(errors.Join(err, io.EOF))
		ended <- err
	}()
	stop := sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server failed: %v\n%s", err, log.String())
		}
	})
	t.Cleanup(stop)
	var url string
	if _, err := fmt.Fscanf(out, "ready %s\n", &url); err != nil {
		t.Fatalf("the server did not become ready: %v", err)
	}
	return &server{url: url, stop: stop}
}

// shortDay is the beginning of the small day's peak, so that a test does not take as long as a lunch.
func shortDay(orders int) day.Day {
	d := day.Small(day.DefaultSeed)
	d.Name = "short"
	d.Couriers = d.Couriers[:8]
	for i := range d.Couriers {
		d.Couriers[i].On, d.Couriers[i].Off = 0, 4*time.Hour
	}
	d.Orders = d.Orders[20 : 20+orders]
	first := d.Orders[0].Placed
	for i := range d.Orders {
		d.Orders[i].Placed -= first
		d.Orders[i].Ready -= first
	}
	return d
}

func TestADayIsPlayedToItsEnd(t *testing.T) {
	s := startServer(t, t.TempDir(), 600, "127.0.0.1:0")
	d := shortDay(12)
	var phases []string
	report, err := Run(t.Context(), Config{Day: d, Target: s.url, Speed: 600, Version: "test", Progress: func(p Progress) {
		if len(phases) == 0 || phases[len(phases)-1] != p.Phase {
			phases = append(phases, p.Phase)
		}
	}})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Clean() || report.Orders.Placed != len(d.Orders) {
		t.Errorf("%+v %+v\n%s", report.Orders, report.Invariants, strings.Join(report.Violations, "\n"))
	}
	// On a busy machine a domain minute is short, and somebody may come too late; but not all of them.
	if report.Orders.Delivered == 0 || report.Orders.Delivered+report.Orders.Cancelled+report.Orders.Rejected != report.Orders.Placed {
		t.Errorf("ended: %+v %v", report.Orders, report.CancelledByReason)
	}
	if report.ClickToDoor.Mean < 5 || report.ClickToDoor.P90 < report.ClickToDoor.P50 || report.Place.P50 <= 0 || report.Approve.P50 < report.Place.P50 {
		t.Errorf("measured: %+v, placed in %+v ms, approved in %+v ms", report.ClickToDoor, report.Place, report.Approve)
	}
	if report.Ledger.Captured <= 0 || report.ReadYourWrites["orders"].Reads != 12 || report.Schema != Schema {
		t.Errorf("reported: %+v", report)
	}
	if len(phases) == 0 {
		t.Error("nobody was told how the day goes")
	}
}

func TestADaySurvivesItsServer(t *testing.T) {
	data := t.TempDir()
	first := startServer(t, data, 600, "127.0.0.1:0")
	address := strings.TrimPrefix(first.url, "http://")
	d := shortDay(10)
	restart := make(chan struct{})
	restartOnce := sync.OnceFunc(func() { close(restart) })
	type outcome struct {
		report Report
		err    error
	}
	played := make(chan outcome, 1)
	go func() {
		report, err := Run(t.Context(), Config{Day: d, Target: first.url, Progress: func(p Progress) {
			if p.Placed >= 4 {
				restartOnce()
			}
		}})
		restartOnce()
		played <- outcome{report, err}
	}()
	<-restart
	first.stop()
	startServer(t, data, 0, address)
	o := <-played
	if o.err != nil {
		t.Fatal(o.err)
	}
	if r := o.report; !r.Clean() || r.Orders.Placed != len(d.Orders) || r.Retries == 0 {
		t.Errorf("%+v %+v, %d retries\n%s", r.Orders, r.Invariants, r.Retries, strings.Join(r.Violations, "\n"))
	}
}

func TestDeclinedCardsAreRejectedNotLost(t *testing.T) {
	s := startServer(t, t.TempDir(), 1200, "127.0.0.1:0")
	d := shortDay(6)
	for i := range d.Orders {
		d.Orders[i].Placed = 0
	}
	report, err := Run(t.Context(), Config{Day: d, Target: s.url, Cards: []string{"tok_decline"}})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Clean() || report.Orders.Rejected != 6 || report.RejectedByReason["card_declined"] != 6 || report.Ledger.Captured != 0 {
		t.Errorf("%+v %v %+v\n%s", report.Orders, report.RejectedByReason, report.Ledger, strings.Join(report.Violations, "\n"))
	}
}

func TestATargetAtAnotherSpeedIsRefused(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/v1/clock" {
			t.Errorf("%s %s, before the speed was looked at", r.Method, r.URL)
		}
		_ = json.NewEncoder(w).Encode(map[string]any{"now": "2026-05-01T12:00:00Z", "speed": 1, "segments": []any{}})
	}))
	defer s.Close()
	_, err := Run(t.Context(), Config{Day: day.Small(1), Target: s.URL, Speed: 600})
	var wrong *SpeedError
	if !errors.As(err, &wrong) || wrong.Want != 600 || wrong.Actual != 1 || strings.Contains(err.Error(), "\n") {
		t.Errorf("got %v", err)
	}
}

func TestRealDaysCanBePlayed(t *testing.T) {
	if os.Getenv("KERF_INSTANCES") == "" {
		t.Log("KERF_INSTANCES is not set: only days of our own making are looked at")
		return
	}
	for _, name := range []string{"0o100t100s1p100", "1o100t100s1p100", "2o100t100s1p100"} {
		d, err := day.Read(os.Getenv("KERF_INSTANCES") + "/" + name)
		if err != nil {
			t.Fatal(err)
		}
		for restaurant, metres := range reachOf(d) {
			if metres > 90_000 {
				t.Errorf("%s: restaurant %s would have to deliver %.0f m, farther than the API lets it", name, restaurant, metres)
			}
		}
	}
}
