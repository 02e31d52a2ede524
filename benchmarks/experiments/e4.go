package experiments

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"strings"
	"time"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stand"
	"kerf/benchmarks/usage"
	"kerf/cmd/topology/servers"
)

var (
	busMessages     = lab.Metric{Name: "messages_per_second", Label: "messages handled, published 100 at a time", Unit: "1/s", More: true, Headline: true}
	busSingles      = lab.Metric{Name: "single_messages_per_second", Label: "messages handled, published one at a time", Unit: "1/s", More: true, Headline: true}
	busCPU          = lab.Metric{Name: "cpu_us_per_message", Label: "CPU per message of a batch", Unit: "µs", Headline: true}
	busModuleCPU    = lab.Metric{Name: "module_cpu_us_per_message", Label: "of that, the module's process", Unit: "µs"}
	busBrokerCPU    = lab.Metric{Name: "broker_cpu_us_per_message", Label: "of that, the broker", Unit: "µs"}
	busSinglesCPU   = lab.Metric{Name: "single_cpu_us_per_message", Label: "CPU per message published alone", Unit: "µs"}
	busPacedCPU     = lab.Metric{Name: "paced_cpu_us_per_message", Label: "CPU per message at the fixed rate, pacing included", Unit: "µs", Neutral: true}
	busHandledP50   = lab.Metric{Name: "handled_p50_ms", Label: "publish to handled, p50", Unit: "ms", Headline: true}
	busHandledP99   = lab.Metric{Name: "handled_p99_ms", Label: "publish to handled, p99", Unit: "ms", Headline: true}
	busLate         = lab.Metric{Name: "late_parts", Label: "parts at the fixed rate that were late or disturbed, of at most 3 tries", Neutral: true}
	busPublishedP50 = lab.Metric{Name: "published_p50_ms", Label: "publish to acknowledged, p50", Unit: "ms"}
)

// busRate is the fixed rate of messages per second: a dozen orders, well below what the slowest bus carries one at a time.
const busRate = 250

func buses() lab.Experiment {
	return lab.Experiment{
		ID: "E4", Title: "Bus",
		Question:   "What does an event cost on its way from one module to another, in memory and through a broker?",
		Hypothesis: "In process at least five times as many messages are handled per second as through Kafka or RabbitMQ.",
		Published: []lab.Finding{
			{Source: "Watermill's benchmark (16 vCPU, 256 B)", Found: "published/handled per second: GoChannel 304k/151k, Kafka 41k/112k, RabbitMQ 2.8k/8.6k"},
		},
		Metrics: []lab.Metric{
			busMessages, busSingles, busCPU, busModuleCPU, busBrokerCPU, busSinglesCPU, busHandledP50, busHandledP99, busPublishedP50, busPacedCPU, busLate,
		},
		Arms:     busArms,
		Runs:     func(p lab.Profile, _ lab.Arm) int { return p.Runs },
		Seconds:  busSeconds,
		Run:      carry,
		Conclude: concludeBuses,
	}
}

func busArms(s lab.Setting) (arms []lab.Arm, notes []string, err error) {
	inProcess := lab.Arm{Name: "memory", Label: "in process", Parameters: map[string]any{"driver": "memory"}}
	kafka := lab.Arm{
		Name: "kafka", Label: "Apache Kafka", Topology: own(s, "kafka-alone.yaml"), Parameters: map[string]any{"driver": "kafka"},
	}
	arms, notes, err = onKafka(s, inProcess, kafka)
	switch {
	case err != nil:
		return nil, nil, err
	case s.RabbitMQ:
		arms = append(arms, lab.Arm{
			Name: "amqp", Label: "RabbitMQ", Topology: own(s, "rabbitmq-alone.yaml"), Parameters: map[string]any{"driver": "amqp"},
		})
	case s.Strict:
		return nil, nil, errors.New("RabbitMQ is not installed here: deploy/servers install brings it; without -strict AMQP is left out")
	default:
		notes = append(notes, "AMQP is left out, because RabbitMQ is not installed here")
	}
	return arms, notes, nil
}

// busWindows are the warm-up before the first part of a run, that before each other part, and the length of each of the three. The first is long, because a
// broker that runs on a virtual machine of its own is slow when it is young.
func busWindows(p lab.Profile) (first, warmup, window time.Duration) {
	return p.Warmup, p.Warmup / 5, p.Window / 5
}

func busSeconds(p lab.Profile, arm lab.Arm) float64 {
	first, warmup, window := busWindows(p)
	parts := (first + 2*warmup + 3*window).Seconds() + 0.5
	switch {
	case arm.Topology == "":
		return parts
	case arm.Kfake:
		return parts + 2
	}
	return parts + 8 // the broker's start and end
}

// carry starts the broker, and a process that publishes and handles: alone on the bus, in one process, so that nothing but the bus differs.
func carry(ctx context.Context, t *lab.Trial) (err error) {
	first, warmup, window := busWindows(t.Setting.Profile)
	args := []string{
		"-driver", t.Arm.Parameters["driver"].(string), "-source", t.Setting.Source, "-seed", fmt.Sprint(t.Seed), "-rate", fmt.Sprint(busRate),
		"-first", first.String(), "-warmup", warmup.String(), "-window", window.String(),
	}
	t.Record.Facts = map[string]string{
		"publisher and handler": "in one process, which counts as the module; 4 publishers, 64 keys, one group of 8 partitions, at most 4,096 messages under way",
		"payload":               "the golden events of orders as Protobuf, 114 to 223 B, with 12 attributes",
		"handler":               "Watermill's router; attributes and event are read, there is no transaction",
		"TLS":                   "none: loopback",
		"warm-up and window":    fmt.Sprintf("%s and %s in batches; %s and %s one at a time, and again at the fixed rate", first, window, warmup, window),
		"lateness":              judgedByPart,
	}
	if t.Arm.Topology != "" {
		t.Stage("start")
		s, err := stand.Start(ctx, stand.Config{Launcher: t.Launcher, Topology: t.Arm.Topology, Kfake: t.Arm.Kfake, Dir: t.Dir})
		if err != nil {
			return err
		}
		defer func() {
			t.Stage("stop")
			stopping, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopFor)
			defer cancel()
			err = errors.Join(err, s.Stop(stopping))
		}()
		maps.Copy(t.Record.Facts, s.Facts())
		broker, err := brokerOf(s)
		if err != nil {
			return err
		}
		args = append(args, broker...)
	}
	t.Stage("publish and handle")
	return ask(ctx, t, "bus", args...)
}

// brokerOf tells where the broker is and which processes it has, as arguments of the child.
func brokerOf(s *stand.Stand) ([]string, error) {
	state, err := s.Status()
	if err != nil {
		return nil, err
	}
	var address string
	for _, server := range state.Servers {
		switch server.Name {
		case servers.Kafka, servers.Kfake:
			address = server.Address
		case servers.RabbitMQ:
			address = server.URL
		}
	}
	groups, err := s.Groups()
	if err != nil {
		return nil, err
	}
	var processes []string
	for _, group := range groups {
		if group.Role == usage.Broker {
			processes = append(processes, fmt.Sprintf("%s=%d", group.Name, group.PID))
		}
	}
	if address == "" || len(processes) == 0 {
		return nil, errors.New("the topology has no broker")
	}
	return []string{"-address", address, "-broker", strings.Join(processes, ",")}, nil
}
