package rpc

import (
	"sync/atomic"

	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/prometheus/client_golang/prometheus"
)

// counts are what a client has done beside the calls themselves, which the seam counts.
type counts struct {
	retries                 atomic.Int64
	open, full, unreachable atomic.Int64 // calls that were given up, by reason
}

// collector tells how a module is reached, when it is asked.
type collector struct {
	client                              *Client
	retries, givenUp, breaker, replicas *prometheus.Desc
}

func newCollector(client *Client) *collector {
	module := prometheus.Labels{"module": client.module}
	return &collector{
		client:  client,
		retries: prometheus.NewDesc("kerf_remote_retries_total", "Attempts to call a module elsewhere beyond the first.", nil, module),
		givenUp: prometheus.NewDesc("kerf_remote_given_up_total", "Calls to a module elsewhere that were not made, by reason.",
			[]string{"reason"}, module),
		breaker: prometheus.NewDesc("kerf_remote_breaker_open",
			"Whether calls to a module elsewhere are given up: 0 none, 0.5 all but a few that try it, 1 all.", nil, module),
		replicas: prometheus.NewDesc("kerf_remote_replicas", "Replicas of a module elsewhere: in use, ejected, or not connected.",
			[]string{"state"}, module),
	}
}

func (c *collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{c.retries, c.givenUp, c.breaker, c.replicas} {
		to <- d
	}
}

func (c *collector) Collect(to chan<- prometheus.Metric) {
	counts := &c.client.counts
	counter := func(d *prometheus.Desc, n *atomic.Int64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(n.Load()), labels...)
	}
	gauge := func(d *prometheus.Desc, value float64, labels ...string) {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, value, labels...)
	}
	counter(c.retries, &counts.retries)
	counter(c.givenUp, &counts.open, "circuit_open")
	counter(c.givenUp, &counts.full, "bulkhead_full")
	counter(c.givenUp, &counts.unreachable, "unreachable")
	switch c.client.breaker.State() {
	case circuitbreaker.ClosedState:
		gauge(c.breaker, 0)
	case circuitbreaker.HalfOpenState:
		gauge(c.breaker, 0.5)
	case circuitbreaker.OpenState:
		gauge(c.breaker, 1)
	}
	used, ejected, down := c.client.replicas.count()
	gauge(c.replicas, float64(used), "used")
	gauge(c.replicas, float64(ejected), "ejected")
	gauge(c.replicas, float64(down), "down")
}
