package town

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"sync"
	"testing"
	"time"

	"kerf/benchmarks/load"
	"kerf/modules"
	"kerf/platform/config"
)

// startKerf serves from a folder of its own in this process, at a speed, until the test ends, and returns the address.
func startKerf(t *testing.T, speed float64) string {
	t.Helper()
	cfg := config.Default()
	cfg.Listen, cfg.Data, cfg.Speed, cfg.Demo, cfg.Log.Level = "127.0.0.1:0", t.TempDir(), speed, false, "error"
	cfg.Database.Dir = cfg.Data
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	out, in := io.Pipe()
	var log bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		err := modules.Serve(ctx, cfg, modules.Options{Version: "test", Stdout: in, Stderr: &log})
		in.CloseWithError(errors.Join(err, io.EOF))
		ended <- err
	}()
	t.Cleanup(sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server failed: %v\n%s", err, log.String())
		}
	}))
	var url string
	if _, err := fmt.Fscanf(out, "ready %s\n", &url); err != nil {
		t.Fatalf("the server did not become ready: %v", err)
	}
	return url
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

func TestEverybodyGetsTheirOrder(t *testing.T) {
	town := settleAt(t, startKerf(t, 60), Size{Restaurants: 3, Diners: 8, Couriers: 16})
	const journeys = 30
	began := time.Now()
	mix := Standard
	mix.Poll = 100 * time.Millisecond
	outcome, seen := offer(t, town, mix, 20, journeys)
	t.Log(outcome, seen.Errors, time.Since(began))
	if err := town.Quiet(t.Context()); err != nil {
		t.Fatal(err)
	}
	violations, told, err := town.Check(t.Context())
	t.Log(violations, told, err, time.Since(began))
	for name, op := range seen.Ops {
		t.Log(name, op.Count, op.Failed, load.Percentiles(op.Response))
	}
}
