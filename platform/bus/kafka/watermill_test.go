package kafka_test

import (
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"

	"kerf/platform/bus/kafka"
)

func TestWatermillOnKfake(t *testing.T)       { watermill(t, kfakeProcess(t)) }
func TestWatermillOnApacheKafka(t *testing.T) { watermill(t, apacheKafka(t)) }

// watermill runs Watermill's own suite.
func watermill(t *testing.T, b *broker) {
	byPayload := func(cfg *kafka.Config) { cfg.Key = func(msg *message.Message) string { return string(msg.Payload) } }
	onePartition := func(cfg *kafka.Config) { cfg.Partitions = 1 }
	for _, variant := range []struct {
		name     string
		features tests.Features
		change   func(*kafka.Config)
	}{
		// Its ordering test wants one order for each payload, so that is the key.
		{"partitions", tests.Features{ConsumerGroups: true, Persistent: true, GuaranteedOrder: true}, byPayload},
		{"one partition", tests.Features{ConsumerGroups: true, Persistent: true, GuaranteedOrder: true, GuaranteedOrderWithSingleSubscriber: true}, onePartition},
	} {
		t.Run(variant.name, func(t *testing.T) {
			inGroup := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
				bus := newBus(t, b, variant.change)
				sub, err := bus.Subscriber(group)
				if err != nil {
					t.Fatal(err)
				}
				return bus.Publisher(), sub
			}
			tests.TestPubSub(t, variant.features, func(t *testing.T) (message.Publisher, message.Subscriber) { return inGroup(t, "suite") }, inGroup)
		})
	}
}
