package database

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	groupSize     prometheus.Histogram
	commitSeconds prometheus.Histogram
	lost          prometheus.Counter
	registered    []prometheus.Collector
	registerer    prometheus.Registerer
}

// newMetrics registers the module's metrics; a nil registerer keeps them unseen.
func newMetrics(module string, reg prometheus.Registerer) (*metrics, error) {
	labels := prometheus.Labels{"module": module}
	m := &metrics{
		registerer: reg,
		groupSize: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kerf_database_group_size", Help: "Commands that shared one commit.", ConstLabels: labels,
			Buckets: prometheus.ExponentialBuckets(1, 2, 9),
		}),
		commitSeconds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kerf_database_commit_seconds", Help: "Time that a commit took, its fsync included.", ConstLabels: labels,
			Buckets: prometheus.ExponentialBuckets(50e-6, 2, 16),
		}),
		lost: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kerf_database_transactions_lost_total", Help: "Transactions that the database rolled back as a whole.", ConstLabels: labels,
		}),
	}
	if reg == nil {
		return m, nil
	}
	for _, c := range []prometheus.Collector{m.groupSize, m.commitSeconds, m.lost} {
		if err := reg.Register(c); err != nil {
			m.unregister()
			return nil, err
		}
		m.registered = append(m.registered, c)
	}
	return m, nil
}

func (m *metrics) unregister() {
	for _, c := range m.registered {
		m.registerer.Unregister(c)
	}
	m.registered = nil
}
