package experiments

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/benchmarks/usage"
	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/identity"
	"kerf/platform/placement"
	"kerf/platform/rpc"
)

// What is asked for in each call.
const (
	askedQuote    = "0190a000-0000-7000-8000-000000000005"
	askedConsumer = "0190a000-0000-7000-8000-000000000003"
	callDeadline  = 5 * time.Second
	callWorkers   = 32
)

// callBench calls GetQuote by one protocol. What is called runs here if it is in process, else in a child of its own.
type callBench struct {
	call   func(context.Context) error
	close  func() error
	watch  *usage.Watcher
	metric callWork // only the names of its metrics are used
	told   report
}

// callChild calls, first one after the other for the CPU, then at a fixed rate for the times, and reports.
func callChild(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("call", flag.ContinueOnError)
	flags.SetOutput(stderr)
	protocol := flags.String("protocol", "in-process", "in-process, grpc, connect, json or rest")
	address := flags.String("address", "", "host:port of what is called")
	token := flags.String("token", "", "the bearer token for REST")
	server := flags.Int("server", 0, "PID of what is called")
	work := flags.Duration("work", 0, "CPU that a call takes besides, in process")
	suffix := flags.String("suffix", "", "of the metrics' names")
	rate := flags.Float64("rate", 500, "calls per second of the open loop")
	seed := flags.Uint64("seed", 1, "of the arrivals")
	warmup := flags.Duration("warmup", 500*time.Millisecond, "before each window")
	closed := flags.Duration("closed", time.Second, "window of one caller")
	open := flags.Duration("open", time.Second, "window at the fixed rate")
	if err := flags.Parse(args); err != nil {
		return err
	}
	b := &callBench{metric: callWork{suffix: *suffix}, told: report{Values: map[string]float64{}, Samples: map[string]int64{}}}
	groups := []usage.Group{{Name: "caller", Role: usage.Modules, PID: os.Getpid()}}
	if *server != 0 {
		groups = append(groups, usage.Group{Name: "called", Role: usage.Modules, PID: *server})
	}
	b.watch = usage.Watch(groups...)
	defer b.watch.Close()
	if err := b.connect(*protocol, *address, *token, *work); err != nil {
		return err
	}
	err := b.alone(ctx, *warmup, *closed)
	if err == nil {
		err = b.paced(ctx, *rate, *seed, *warmup, *open)
	}
	if err = errors.Join(err, b.close()); err != nil {
		return fmt.Errorf("%s: %w", *protocol, err)
	}
	return tell(stdout, b.told)
}

// connect makes the call, as a process of Kerf's would make it.
func (b *callBench) connect(protocol, address, token string, work time.Duration) error {
	if protocol == "rest" {
		b.callREST(address, token)
		return nil
	}
	registry := prometheus.NewRegistry()
	config := placement.Config{Mode: placement.Local, Log: accessLog(), Registry: registry, InTransaction: database.InTransaction}
	var here restaurantsapi.RestaurantsService
	closeClient := func() error { return nil }
	if protocol == "in-process" {
		here = quotes{work}
	} else {
		client, err := rpc.NewClient(rpc.ClientConfig{
			Module: "restaurants", Addresses: []string{address}, Protocol: rpc.Protocol(protocol), Log: accessLog(), Registry: registry,
		})
		if err != nil {
			return err
		}
		config.Remotes = map[string]*rpc.Client{"restaurants": client}
		closeClient = client.Close
	}
	seams, err := placement.New(config)
	if err != nil {
		return errors.Join(err, closeClient())
	}
	service := restaurantsapi.PlaceRestaurantsService(seams.To("restaurants"), here)
	b.close = func() error { return errors.Join(seams.Close(), closeClient()) }
	b.call = func(ctx context.Context) error {
		ctx, cancel := context.WithTimeout(ctx, callDeadline)
		defer cancel()
		ctx = identity.With(ctx, identity.Service("orders"))
		ctx = bus.WithCause(ctx, bus.Meta{CorrelationID: askedQuote})
		res, err := service.GetQuote(ctx, &restaurantsapi.GetQuoteRequest{QuoteId: askedQuote, ConsumerId: askedConsumer})
		return quoted(res.GetQuote().GetQuoteId(), len(res.GetQuote().GetLines()), err)
	}
	return nil
}

// quoted holds an answer against what was asked.
func quoted(id string, lines int, err error) error {
	if err == nil && (id != askedQuote || lines != 3) {
		return fmt.Errorf("the answer is quote %q with %d lines", id, lines)
	}
	return err
}

// callREST calls as a client of the public API does, by net/http and encoding/json.
func (b *callBench) callREST(address, token string) {
	transport := &http.Transport{MaxIdleConnsPerHost: callWorkers}
	client := &http.Client{Transport: transport, Timeout: callDeadline}
	b.close = func() error {
		transport.CloseIdleConnections()
		return nil
	}
	b.call = func(ctx context.Context) (err error) {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address+"/v1/quotes/"+askedQuote, nil)
		if err != nil {
			return err
		}
		req.Header.Set("Authorization", "Bearer "+token)
		res, err := client.Do(req)
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, res.Body.Close()) }()
		if res.StatusCode != http.StatusOK {
			return fmt.Errorf("status %s", res.Status)
		}
		var quote quoteView
		err = json.NewDecoder(res.Body).Decode(&quote)
		return quoted(quote.ID, len(quote.Lines), err)
	}
}

// alone has one caller call again as soon as it is answered, and tells the CPU of a call.
func (b *callBench) alone(ctx context.Context, warmup, window time.Duration) error {
	if _, err := b.callFor(ctx, warmup); err != nil {
		return err
	}
	if err := b.watch.Begin(); err != nil {
		return err
	}
	calls, err := b.callFor(ctx, window)
	if err != nil {
		return err
	}
	used, err := b.watch.End()
	if err != nil {
		return err
	}
	b.told.Usage = &used
	b.told.beside("one caller"+b.metric.suffix, used)
	b.value(b.metric.cpu(), microseconds(used, usage.Modules)/float64(calls), calls)
	for _, p := range used.Processes {
		if p.Name == "called" {
			b.value(b.metric.served(), 1e6*p.CPU/float64(calls), calls)
		}
	}
	return nil
}

func (b *callBench) value(m lab.Metric, value float64, samples int64) {
	b.told.Values[m.Name], b.told.Samples[m.Name] = value, samples
}

func (b *callBench) callFor(ctx context.Context, d time.Duration) (calls int64, err error) {
	for start := time.Now(); time.Since(start) < d; calls++ {
		if err := b.call(ctx); err != nil {
			return calls, err
		}
	}
	return calls, nil
}

// paced tells how soon calls are answered that are made at a fixed rate.
func (b *callBench) paced(ctx context.Context, rate float64, seed uint64, warmup, window time.Duration) error {
	s, used, late, err := punctual("call", func() (load.Snapshot, usage.Window, error) { return b.pace(ctx, rate, seed, warmup, window) })
	if err != nil {
		return err
	}
	b.value(b.metric.late(), float64(late), lateTries)
	if late < lateTries {
		b.told.beside("at the fixed rate"+b.metric.suffix, used)
		b.timed(s, used)
	}
	return nil
}

// pace calls at the instants of Poisson arrivals.
func (b *callBench) pace(ctx context.Context, rate float64, seed uint64, warmup, window time.Duration) (s load.Snapshot, used usage.Window, err error) {
	recorder := load.NewRecorder()
	loop := load.Open{
		Arrivals: load.For(warmup+window, load.Poisson(rate, seed)), Workers: callWorkers, MaxJourneys: 1000, Recorder: recorder,
		Journey: func(ctx context.Context, caller *load.Caller, _ int, intended time.Time) error {
			_, err := caller.Do(ctx, "call", intended, func(ctx context.Context, _ int) error { return b.call(ctx) })
			return err
		},
	}
	outcome, used, err := overWindow(ctx, loop, warmup, window, b.watch)
	if err == nil && outcome.Failure != nil {
		err = fmt.Errorf("at a fixed rate: %w", outcome.Failure)
	}
	return recorder.Snapshot(), used, err
}

// timed tells what the fixed rate found.
func (b *callBench) timed(s load.Snapshot, used usage.Window) {
	of := s.Ops["call"]
	b.told.Errors = s.Errors
	b.value(b.metric.paced(), microseconds(used, usage.Modules)/float64(of.Count), of.Count)
	for _, told := range []struct {
		metric     lab.Metric
		of         load.Distribution
		percentile float64
	}{{b.metric.responseP50(), of.Response, 50}, {b.metric.responseP99(), of.Response, 99}, {b.metric.serviceP50(), of.Service, 50}} {
		if ms, ok := load.Percentile(told.of, told.percentile); ok {
			b.value(told.metric, ms, of.Count)
		}
	}
	kept := &lab.Record{}
	keep(kept, "call"+b.metric.suffix+"/response", of.Response)
	keep(kept, "call"+b.metric.suffix+"/service", of.Service)
	keep(kept, "call"+b.metric.suffix+"/lateness", of.Lateness)
	b.told.Spectra = kept.Spectra
}
