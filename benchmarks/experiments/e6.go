package experiments

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"time"

	"kerf/benchmarks/lab"
)

// callWork is how much CPU an operation takes besides its answer: none, and about what a query of some tables takes.
type callWork struct {
	work time.Duration
	// suffix is that of the metrics' names and labels.
	suffix, label string
	// rate is the fixed rate of calls per second: below a third of the two cores for the dearest protocol.
	rate float64
}

var callWorks = []callWork{{0, "", "", 800}, {time.Millisecond, "_1ms", ", 1 ms of work", 250}}

// The metrics of calls that do some work.
func (w callWork) cpu() lab.Metric {
	return lab.Metric{Name: "cpu_us_per_call" + w.suffix, Label: "CPU per call, both sides" + w.label, Unit: "µs", Headline: true}
}

func (w callWork) served() lab.Metric {
	return lab.Metric{Name: "server_us_per_call" + w.suffix, Label: "of that, the side that is called" + w.label, Unit: "µs"}
}

func (w callWork) responseP50() lab.Metric {
	return lab.Metric{Name: "response_p50_ms" + w.suffix, Label: "response, p50" + w.label, Unit: "ms", Headline: true}
}

func (w callWork) responseP99() lab.Metric {
	return lab.Metric{Name: "response_p99_ms" + w.suffix, Label: "response, p99" + w.label, Unit: "ms"}
}

func (w callWork) serviceP50() lab.Metric {
	return lab.Metric{Name: "service_p50_ms" + w.suffix, Label: "service time, p50" + w.label, Unit: "ms"}
}

func (w callWork) paced() lab.Metric {
	return lab.Metric{Name: "paced_us_per_call" + w.suffix, Label: "CPU per call at the fixed rate, pacing included" + w.label, Unit: "µs", Neutral: true}
}

func (w callWork) late() lab.Metric {
	return lab.Metric{Name: "late_parts" + w.suffix, Label: "parts at the fixed rate that were late or disturbed, of at most 3 tries" + w.label, Neutral: true}
}

func protocols() lab.Experiment {
	return lab.Experiment{
		ID: "E6", Title: "Protocol",
		Question:   "What does a call between modules cost in process, over gRPC, Connect and JSON, and at the edge over REST?",
		Hypothesis: "CPU per call: in process far less than gRPC, gRPC less than JSON. The difference shrinks when a call does more than 1 ms of work.",
		Published: []lab.Finding{
			{Source: "Niswar et al., 2024", Found: "gRPC before REST and GraphQL in latency and CPU (the order only: other programs are compared there)"},
		},
		Metrics: protocolMetrics(),
		Arms:    protocolArms,
		Runs:    func(p lab.Profile, _ lab.Arm) int { return p.Runs },
		Seconds: func(p lab.Profile, arm lab.Arm) float64 {
			if arm.Topology != "" {
				return 12 + (p.Warmup + p.Window).Seconds()
			}
			warmup, closed, open := callWindows(p)
			return 2 * (warmup + closed + warmup + open + 400*time.Millisecond).Seconds()
		},
		Run:      exchange,
		Conclude: concludeProtocols,
	}
}

func protocolMetrics() (metrics []lab.Metric) {
	for _, w := range callWorks {
		metrics = append(metrics, w.cpu(), w.served(), w.responseP50(), w.responseP99(), w.serviceP50(), w.paced(), w.late())
	}
	return append(metrics, totalPerOrder, modulesPerOrder, placeP50, approvedP50)
}

// protocolArms are the ways to make the same call; in the full profile, a whole split that speaks them, too.
func protocolArms(s lab.Setting) (arms []lab.Arm, notes []string, err error) {
	for _, p := range []struct{ name, label string }{
		{"in-process", "in process"}, {"grpc", "gRPC"}, {"connect", "Connect, Protobuf"}, {"json", "Connect, JSON"}, {"rest", "REST at the edge"},
	} {
		arms = append(arms, lab.Arm{Name: p.name, Label: p.label, Parameters: map[string]any{"protocol": p.name}})
	}
	if s.Profile.Name == lab.Quick.Name {
		return arms, nil, nil
	}
	for _, p := range []struct{ name, label string }{{"grpc", "gRPC"}, {"connect", "Connect"}, {"json", "JSON"}} {
		arms = append(arms, lab.Arm{
			Name: "split-" + p.name, Label: "whole split, kfake, " + p.label, Topology: deployed(s, "split.yaml"), Kfake: true,
			Config: map[string]any{"internal.protocol": p.name},
		})
	}
	return arms, nil, nil
}

// callWindows are how long one caller calls at once again, for the CPU, and how long calls come at a fixed rate, for the times; with a warm-up before each.
func callWindows(p lab.Profile) (warmup, closed, open time.Duration) {
	return p.Warmup / 10, p.Window * 3 / 20, p.Window / 5
}

// exchange makes one run: for each work fresh processes, one that is called and one that calls.
func exchange(ctx context.Context, t *lab.Trial) error {
	if t.Arm.Topology != "" {
		return drive{}.run(ctx, t)
	}
	warmup, closed, open := callWindows(t.Setting.Profile)
	t.Record.Facts = map[string]string{
		"warm-up and window": fmt.Sprintf("%s and %s with one caller, %s and %s at the fixed rate, for each work in fresh processes", warmup, closed, warmup, open),
		"call":               "GetQuote of restaurants: a quote with three lines, by a caller with a principal, a deadline and a correlation id",
		"CPU":                "of one caller that calls again at once, so that the pacing of calls is not counted as theirs",
		"times":              "at a fixed rate, from the intended instant; response_… include the generator's lateness, service_… do not",
		"lateness":           judgedByPart,
		"TLS":                "none between the processes: loopback; what certificates cost is in platform/placement's BenchmarkRemoteCall",
		"REST":               "GET of the same quote: echo, bearer token, JSON by hand, net/http on the side that asks; without the gateway's proxy and without a database",
		"answer":             "ready in memory: no database on any side",
	}
	for _, w := range callWorks {
		t.Stage("calls" + w.label)
		if err := exchangeWith(ctx, t, w); err != nil {
			return err
		}
	}
	return nil
}

func exchangeWith(ctx context.Context, t *lab.Trial, w callWork) (err error) {
	protocol := t.Arm.Parameters["protocol"].(string)
	warmup, closed, open := callWindows(t.Setting.Profile)
	args := []string{
		"-protocol", protocol, "-work", w.work.String(), "-suffix", w.suffix, "-rate", fmt.Sprint(w.rate), "-seed", fmt.Sprint(t.Seed),
		"-warmup", warmup.String(), "-closed", closed.String(), "-open", open.String(),
	}
	if protocol != "in-process" {
		server, err := startChild(ctx, t, "serve", "-protocol", protocol, "-work", w.work.String())
		if err != nil {
			return err
		}
		defer func() { err = errors.Join(err, server.end()) }()
		var at serving
		if heard := server.hear(&at); heard != nil {
			return fmt.Errorf("the child that is to be called does not start: %w", heard)
		}
		args = append(args, "-address", at.Address, "-token", at.Token, "-server", strconv.Itoa(server.cmd.Process.Pid))
	}
	return ask(ctx, t, "call", args...)
}
