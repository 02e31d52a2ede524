package experiments

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"kerf/benchmarks/lab"
	"kerf/platform/bus"
)

func TestTheLedgerOfABusSeesWhatGoesWrong(t *testing.T) {
	message := func(sequence int64) bus.Meta { return bus.Meta{ID: "m", Key: "order", Sequence: sequence} }
	for name, c := range map[string]struct {
		handled []int64
		err     error
		want    map[string]int
	}{
		"in order":     {handled: []int64{1, 2, 3}, want: map[string]int{}},
		"doubled":      {handled: []int64{1, 1, 2, 3}, want: map[string]int{"I8": 1}},
		"out of order": {handled: []int64{2, 1, 3}, want: map[string]int{"I8": 2}},
		"lost":         {handled: []int64{1, 2}, want: map[string]int{"I10": 1}},
		"unreadable":   {handled: []int64{1, 2, 3}, err: errors.New("no event"), want: map[string]int{"I8": 3}},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLedger()
			for range 3 {
				l.take("order")
			}
			for _, sequence := range c.handled {
				l.handled(message(sequence), c.err, time.Now())
			}
			l.lose()
			if len(l.violations) != len(c.want) || l.violations["I8"] != c.want["I8"] || l.violations["I10"] != c.want["I10"] {
				t.Errorf("found %v, %q", l.violations, l.told)
			}
		})
	}
}

func TestBusesAreComparedByWhatTheyCarry(t *testing.T) {
	carried := func(perSecond float64) map[string]float64 {
		return map[string]float64{busMessages.Name: perSecond, busCPU.Name: 1e6 / perSecond}
	}
	for name, c := range map[string]struct {
		kafka, amqp float64
		want        lab.Outcome
	}{
		"both far behind":   {20_000, 9_000, lab.Supported},
		"one not so far":    {60_000, 9_000, lab.Partly},
		"none far behind":   {60_000, 40_000, lab.Refuted},
		"both on the bound": {28_600, 28_600, lab.Undecided},
	} {
		t.Run(name, func(t *testing.T) {
			p := plant(buses(), everything)
			p.noise = 0.03
			f := p.runs("memory", 6, carried(143_000)).runs("kafka", 6, carried(c.kafka)).runs("amqp", 6, carried(c.amqp)).findings()
			if got := concludeBuses(f); got.Outcome != c.want {
				t.Errorf("%s: %s", got.Outcome, got.Verdict)
			}
		})
	}
}

func TestTooFewRunsDecideNothing(t *testing.T) {
	f := plant(buses(), everything).
		runs("memory", 3, map[string]float64{busMessages.Name: 150_000}).runs("kafka", 6, map[string]float64{busMessages.Name: 15_000}).findings()

	if c := concludeBuses(f); c.Outcome != lab.Undecided || !strings.HasPrefix(c.Verdict, "Undecided, since fewer than 5 runs count (memory: 3, amqp: 0). ") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
	f = plant(protocols(), everything).runs("in-process", 4, called(4, 1000)).runs("grpc", 6, called(90, 1200)).runs("json", 6, called(230, 1400)).findings()
	if c := concludeProtocols(f); c.Outcome != lab.Undecided || !strings.Contains(c.Verdict, "(in-process: 4)") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestABrokerThatIsNotHereIsSaidAtOnce(t *testing.T) {
	bare := everything
	bare.Kafka, bare.RabbitMQ = false, false
	f := plant(buses(), bare).
		runs("memory", 6, map[string]float64{busMessages.Name: 150_000}).runs("kafka", 6, map[string]float64{busMessages.Name: 15_000}).findings()

	c := concludeBuses(f)

	if !strings.HasPrefix(c.Verdict, "Kfake stands in for Apache Kafka") || !strings.Contains(c.Verdict, "AMQP is left out") ||
		strings.Contains(c.Verdict, "of Apache Kafka, n") {
		t.Error(c.Verdict)
	}
	bare.Strict = true
	if _, _, err := busArms(bare); err == nil {
		t.Error("a strict run goes on without Apache Kafka")
	}
	bare.Kafka = true
	if _, _, err := busArms(bare); err == nil {
		t.Error("a strict run goes on without RabbitMQ")
	}
}

func TestComponentExperimentsWithoutRunsAreUndecided(t *testing.T) {
	for _, e := range []lab.Experiment{buses(), protocols(), formats()} {
		if c := e.Conclude(plant(e, everything).findings()); c.Outcome != lab.Undecided || c.Verdict == "" {
			t.Errorf("%s: %s %s", e.ID, c.Outcome, c.Verdict)
		}
	}
}

func TestComponentExperimentsFitTheQuickProfile(t *testing.T) {
	for _, e := range []lab.Experiment{buses(), protocols(), formats()} {
		arms, _, err := e.Arms(everything)
		if err != nil {
			t.Fatal(err)
		}
		var seconds float64
		for _, arm := range arms {
			seconds += float64(e.Runs(lab.Quick, arm)) * e.Seconds(lab.Quick, arm)
		}
		if seconds > 11*60 {
			t.Errorf("%s takes %.0f s", e.ID, seconds)
		}
		if names := namesOf(e.Metrics); len(slices.Compact(slices.Sorted(slices.Values(names)))) != len(names) {
			t.Errorf("%s has a metric twice: %v", e.ID, names)
		}
	}
}

func namesOf(metrics []lab.Metric) (names []string) {
	for _, m := range metrics {
		names = append(names, m.Name)
	}
	return names
}
