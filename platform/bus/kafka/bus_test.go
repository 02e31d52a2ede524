package kafka_test

import (
	"testing"

	"kerf/platform/bus"
	"kerf/platform/bus/bustest"
)

func TestConformanceOnKfake(t *testing.T)       { conformance(t, kfakeProcess(t)) }
func TestConformanceOnApacheKafka(t *testing.T) { conformance(t, apacheKafka(t)) }

func conformance(t *testing.T, b *broker) {
	bustest.Run(t, bustest.Driver{
		Open: func(t *testing.T, _ bustest.Options) bus.Bus { return newBus(t, b, nil) },
	})
}
