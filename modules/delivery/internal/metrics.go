package internal

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	rounds  prometheus.Histogram
	offers  prometheus.Counter
	waiting prometheus.Gauge
	reports *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	m := &metrics{
		rounds: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "kerf_delivery_round_seconds", Help: "Time that a dispatch round took.",
			Buckets: []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1},
		}),
		offers: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "kerf_delivery_offers_total", Help: "Deliveries offered to a courier.",
		}),
		waiting: prometheus.NewGauge(prometheus.GaugeOpts{
			Name: "kerf_delivery_waiting", Help: "Deliveries that the last round left without a courier.",
		}),
		reports: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kerf_delivery_reports_total",
			Help: "Reports of a courier's position: taken, stale (an older one, or off shift); published and unpublished (throttled apart) as CourierMoved.",
		}, []string{"outcome"}),
	}
	if reg != nil {
		reg.MustRegister(m.rounds, m.offers, m.waiting, m.reports)
	}
	return m
}
