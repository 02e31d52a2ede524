package outbox

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	published, failed, settled prometheus.Counter
}

// newMetrics returns the counters of a module's relay, registered with reg unless it is nil.
func newMetrics(module string, reg prometheus.Registerer) *metrics {
	counter := func(name, help string) prometheus.Counter {
		c := prometheus.NewCounter(prometheus.CounterOpts{
			Namespace: "kerf", Subsystem: "outbox", Name: name, Help: help,
			ConstLabels: prometheus.Labels{"module": module},
		})
		if reg != nil {
			reg.MustRegister(c)
		}
		return c
	}
	return &metrics{
		published: counter("published_total", "Events handed to the bus, those sent again included."),
		failed:    counter("failed_total", "Attempts to publish an event that failed."),
		settled:   counter("settled_total", "Events that the bus reported as acked by every group."),
	}
}
