package amqp

import (
	"fmt"
	"strconv"

	"github.com/ThreeDotsLabs/watermill"
	wamqp "github.com/ThreeDotsLabs/watermill-amqp/v3/pkg/amqp"
	"github.com/ThreeDotsLabs/watermill/message"
	amqp091 "github.com/rabbitmq/amqp091-go"
)

// queueOf names the queue of a partition for a group.
func queueOf(topic, group string, partition int) string {
	return fmt.Sprintf("%s.%s.%d", topic, group, partition)
}

func routingKey(partition int) string { return strconv.Itoa(partition) }

// everyPartition is bound by who hears a topic without a group.
const everyPartition = "#"

// exchange is a topic's. It is a topic exchange, so that a debugging queue can be bound to all its partitions at once.
var exchange = wamqp.ExchangeConfig{Type: "topic", Durable: true}

// groupQueue is the queue of a partition for a group.
var groupQueue = wamqp.Config{
	Exchange: exchange,
	Queue:    wamqp.QueueConfig{Durable: true, Arguments: amqp091.Table{"x-single-active-consumer": true}},
}

// lossyQueue is what a subscriber without a group reads. It goes with its consumer; a slow one loses the oldest messages.
var lossyQueue = wamqp.Config{
	Exchange: exchange,
	Queue: wamqp.QueueConfig{
		AutoDelete: true, Exclusive: true,
		Arguments: amqp091.Table{"x-max-length": lossyLength, "x-overflow": "drop-head"},
	},
}

const lossyLength = 1024

// declareTopic makes the topic known, and the queues of every group that hears it.
func (b *Bus) declareTopic(ch *amqp091.Channel, topic string) error {
	if err := new(wamqp.DefaultTopologyBuilder).ExchangeDeclare(ch, topic, wamqp.Config{Exchange: exchange}); err != nil {
		return fmt.Errorf("exchange: %w", err)
	}
	for _, group := range b.cfg.Groups[topic] {
		if err := b.declareGroup(ch, topic, group); err != nil {
			return err
		}
	}
	return nil
}

// declareGroup makes the topic known, and the queues of a group with it.
func (b *Bus) declareGroup(ch *amqp091.Channel, topic, group string) error {
	for partition := range b.cfg.Partitions {
		if err := declareQueue(ch, topic, queueOf(topic, group, partition), routingKey(partition), groupQueue); err != nil {
			return err
		}
	}
	return nil
}

func declareQueue(ch *amqp091.Channel, topic, queue, key string, cfg wamqp.Config) error {
	params := wamqp.BuildTopologyParams{Topic: topic, QueueName: queue, ExchangeName: topic, RoutingKey: key}
	if err := new(wamqp.DefaultTopologyBuilder).BuildTopology(ch, params, cfg, watermill.NopLogger{}); err != nil {
		return fmt.Errorf("queue %s: %w", queue, err)
	}
	return nil
}

// marshaler keeps a message's metadata as headers, and tells operators' tools what it is.
var marshaler = wamqp.DefaultMarshaler{PostprocessPublishing: func(p amqp091.Publishing) amqp091.Publishing {
	p.MessageId, _ = p.Headers[wamqp.DefaultMessageUUIDHeaderKey].(string)
	p.Type, _ = p.Headers["ce_type"].(string)
	p.ContentType, _ = p.Headers["content-type"].(string)
	return p
}}

// messageOf reads a delivery. It reads anything, because who hears it has to park what is no event: headers that are not text, some of
// which the broker adds, become text.
func messageOf(d amqp091.Delivery) *message.Message {
	msg := message.NewMessage(d.MessageId, d.Body)
	for name, value := range d.Headers {
		text, ok := value.(string)
		if !ok {
			text = fmt.Sprint(value)
		}
		if name == wamqp.DefaultMessageUUIDHeaderKey {
			msg.UUID = text
		} else {
			msg.Metadata[name] = text
		}
	}
	return msg
}
