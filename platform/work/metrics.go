package work

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

type metrics struct {
	outcomes *prometheus.CounterVec
	seconds  *prometheus.HistogramVec
	lateness *prometheus.HistogramVec
}

func newMetrics(module string, q *Queue, reg prometheus.Registerer) *metrics {
	buckets := []float64{.0001, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 30}
	m := &metrics{
		outcomes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "kerf_work_handled_total",
			Help: "Items of due work handled: done, failed (tried again), lost (not the lease's holder any more), interrupted (by the end of the process), unrecorded (the database failed).",
		}, []string{"kind", "outcome"}),
		seconds: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kerf_work_seconds", Help: "Time from the start of a handler until its outcome is recorded.", Buckets: buckets,
		}, []string{"kind"}),
		lateness: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "kerf_work_late_seconds", Help: "Time of the wall from when an item was due until it was claimed.", Buckets: buckets,
		}, []string{"kind"}),
	}
	if reg != nil {
		prometheus.WrapRegistererWith(prometheus.Labels{"module": module}, reg).
			MustRegister(m.outcomes, m.seconds, m.lateness, &depthCollector{queue: q})
	}
	return m
}

func (m *metrics) handled(kind, outcome string, took time.Duration) {
	m.outcomes.WithLabelValues(kind, outcome).Inc()
	m.seconds.WithLabelValues(kind).Observe(took.Seconds())
}

func (m *metrics) late(kind string, late time.Duration) {
	m.lateness.WithLabelValues(kind).Observe(late.Seconds())
}

// depthCollector counts the items when it is asked, not all the time.
type depthCollector struct{ queue *Queue }

var depthDesc = prometheus.NewDesc("kerf_work_items",
	"Items of due work: waiting for their instant, due, claimed; stuck ones are counted again as stuck.", []string{"state"}, nil)

func (c *depthCollector) Describe(descs chan<- *prometheus.Desc) { descs <- depthDesc }

func (c *depthCollector) Collect(found chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	depth, err := c.queue.Depth(ctx)
	if err != nil {
		found <- prometheus.NewInvalidMetric(depthDesc, err)
		return
	}
	for state, n := range map[string]int64{"waiting": depth.Waiting, "due": depth.Due, "claimed": depth.Claimed, "stuck": depth.Stuck} {
		found <- prometheus.MustNewConstMetric(depthDesc, prometheus.GaugeValue, float64(n), state)
	}
}
