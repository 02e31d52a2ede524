package kafka

import "github.com/prometheus/client_golang/prometheus"

// metrics is also the collector of lags, which are known per partition.
type metrics struct {
	bus          *Bus
	published    *prometheus.CounterVec
	delivered    *prometheus.CounterVec
	redelivered  *prometheus.CounterVec
	commitErrors *prometheus.CounterVec
}

func newMetrics(b *Bus, reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "kerf", Subsystem: "bus", Name: name, Help: help}, labels)
		if reg != nil {
			reg.MustRegister(c)
		}
		return c
	}
	m := &metrics{
		bus:          b,
		published:    counter("published_total", "Messages that all in-sync replicas have acknowledged.", "topic"),
		delivered:    counter("delivered_total", "Messages handed to consumers, those handed out again included.", "topic", "group"),
		redelivered:  counter("redelivered_total", "Messages handed out again because they were refused.", "topic", "group"),
		commitErrors: counter("commit_errors_total", "Commits of a group's place that failed; what they were about comes again after a move.", "topic", "group"),
	}
	if reg != nil {
		reg.MustRegister(m)
	}
	return m
}

var lagDesc = prometheus.NewDesc("kerf_bus_lag", "Messages that a group has not acked, in the partitions that this process reads.", []string{"topic", "group"}, nil)

// Describe implements prometheus.Collector.
func (m *metrics) Describe(descs chan<- *prometheus.Desc) { descs <- lagDesc }

// Collect implements prometheus.Collector.
func (m *metrics) Collect(found chan<- prometheus.Metric) {
	for name, lag := range m.bus.lags() {
		found <- prometheus.MustNewConstMetric(lagDesc, prometheus.GaugeValue, float64(lag), name.topic, name.group)
	}
}
