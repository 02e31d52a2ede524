package amqp

import "github.com/prometheus/client_golang/prometheus"

type metrics struct {
	published              *prometheus.CounterVec
	delivered, redelivered *prometheus.CounterVec
}

func newMetrics(reg prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: "kerf", Subsystem: "bus", Name: name, Help: help}, labels)
		if reg != nil {
			reg.MustRegister(c)
		}
		return c
	}
	return &metrics{
		published:   counter("published_total", "Messages that the broker has confirmed.", "topic"),
		delivered:   counter("delivered_total", "Messages handed to consumers, those handed out again included.", "topic", "group"),
		redelivered: counter("redelivered_total", "Messages handed out again, because they were refused or their consumer went.", "topic", "group"),
	}
}
