package kafka_test

import (
	"testing"
	"time"

	"kerf/platform/bus"
	"kerf/platform/bus/bustest"
)

func TestConformanceOnKfake(t *testing.T)       { conformance(t, kfakeProcess(t)) }
func TestConformanceOnApacheKafka(t *testing.T) { conformance(t, apacheKafka(t)) }

func conformance(t *testing.T, b *broker) {
	d := bustest.Driver{
		Open:     func(t *testing.T, _ bustest.Options) bus.Bus { return newBus(t, b, nil) },
		Patience: time.Minute,
	}
	if b.restart != nil {
		d.Restart = b.kill
	}
	bustest.Run(t, d)
}
