package experiments

import (
	"fmt"
	"math"
	"strings"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/stats"
)

// inProcessGain is how many times as many messages the bus in memory was expected to carry.
var inProcessGain = band{5, math.Inf(1)}

func concludeBuses(f *lab.Findings) lab.Conclusion {
	var told, missing, needed []string
	for _, arm := range f.Arms {
		needed = append(needed, arm.Name)
	}
	var outcomes []lab.Outcome
	for _, arm := range f.Arms[min(1, len(f.Arms)):] {
		rate := resultOf(f, arm.Name, busMessages.Name)
		ratio, ok := ratioOf(rate)
		if !ok {
			missing = append(missing, arm.Label)
			continue
		}
		gain := inverse(ratio)
		outcomes = append(outcomes, inProcessGain.judge(gain))
		told = append(told, fmt.Sprintf("%s the messages of %s, n = %d", times(gain), arm.Label, rate.N))
	}
	if len(told) == 0 {
		return undecided(f, "no broker has runs that count beside those in process")
	}
	c := lab.Conclusion{Outcome: together(outcomes), Remarks: busRemarks(f)}
	if lacking(f, needed...) {
		c.Outcome = lab.Undecided
	}
	c.Verdict = fmt.Sprintf("%s%sIn process %s messages per second are handled when they are published a hundred at a time: %s.", foreword(f), soFar(f, needed...),
		amountOf(resultOf(f, f.Arms[0].Name, busMessages.Name)), strings.Join(told, "; "))
	for _, label := range missing {
		c.Verdict += " No run counts of: " + label + "."
	}
	return c
}

// inverse is the ratio the other way round.
func inverse(r stats.Ratio) stats.Ratio {
	return stats.Ratio{Value: 1 / r.Value, Low: 1 / r.High, High: 1 / r.Low, Level: r.Level, Different: r.Different}
}

// amountOf writes a median with its interval, without the unit, which the sentence around it has.
func amountOf(r *lab.Result) string {
	if r == nil {
		return "–"
	}
	return fmt.Sprintf("%s (%s–%s)", number(r.Median), number(r.CILow), number(r.CIHigh))
}

func busRemarks(f *lab.Findings) (remarks []string) {
	for _, arm := range f.Arms {
		if resultOf(f, arm.Name, busCPU.Name) == nil {
			continue
		}
		remarks = append(remarks, fmt.Sprintf("%s: %s of CPU a message in batches, %s if each is published alone; "+
			"at %d a second, pacing included, %s; it is handled %s (p50), %s (p99) after it was due.",
			sentence(arm.Label), amount(resultOf(f, arm.Name, busCPU.Name)), amount(resultOf(f, arm.Name, busSinglesCPU.Name)), busRate,
			amount(resultOf(f, arm.Name, busPacedCPU.Name)),
			amount(resultOf(f, arm.Name, busHandledP50.Name)), amount(resultOf(f, arm.Name, busHandledP99.Name))))
	}
	return append(remarks,
		"A message counts when it is handled, and a publisher goes on when its messages are acknowledged: in process when they are queued, by Kafka when all "+
			"in-sync replicas have them (here one), by RabbitMQ when it has confirmed them. What is acknowledged in process would be lost in a crash, "+
			"which is why events come from an outbox; its cost is in E1, and not here.",
		"Order and completeness are checked in every run: by order of a key, nothing lost, nothing doubled.",
		"Publisher, handler and broker share the machine's cores; on more cores a broker's CPU runs beside the modules', and more messages pass for the same CPU.",
		fmt.Sprintf("The brokers are fresh and have carried messages for %v before anything counts; on virtual machines of that age they are still getting faster.",
			f.Setting.Profile.Warmup))
}
