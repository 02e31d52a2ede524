package inbox

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	handled *prometheus.CounterVec
	lag     *prometheus.HistogramVec
}

// topicMetrics are the metrics of one topic, looked up once.
type topicMetrics struct {
	outcomes [outcomes]prometheus.Counter
	lag      prometheus.Observer
}

func newMetrics(group string, reg prometheus.Registerer) *metrics {
	labels := prometheus.Labels{"module": group}
	m := &metrics{
		handled: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kerf_inbox_messages_total", Help: "Messages taken from the bus, by what became of them.", ConstLabels: labels,
		}, []string{"source", "outcome"}),
		lag: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kerf_inbox_lag_seconds", Help: "Domain time from an event to the end of its handling.", ConstLabels: labels,
			Buckets: prometheus.ExponentialBuckets(0.001, 4, 10),
		}, []string{"source"}),
	}
	if reg != nil {
		reg.MustRegister(m.handled, m.lag)
	}
	return m
}

func (m *metrics) of(source string) *topicMetrics {
	t := &topicMetrics{lag: m.lag.WithLabelValues(source)}
	for o := range outcomes {
		t.outcomes[o] = m.handled.WithLabelValues(source, o.String())
	}
	return t
}
