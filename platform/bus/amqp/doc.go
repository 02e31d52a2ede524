// Package amqp is the event bus on an AMQP 0-9-1 broker, RabbitMQ.
//
// A topic is a durable exchange. Each group that hears it has one durable queue per partition, bound by the partition's number, which
// publishers compute from the key as Kafka's do. A queue has one active consumer (x-single-active-consumer), which handles one message
// at a time and repeats a refused one in place, so a key keeps its order; the other members of the group stand by. Nothing is ever
// put back at a queue's end.
//
// A publisher declares the queues of every group of Config.Groups before it publishes, sends persistent messages that must find a
// queue (mandatory), and returns when the broker has confirmed them. So what is published reaches groups that have not started yet.
// That holds for a broker that is killed, too, but for one thing: RabbitMQ writes down which queues there are only within seconds, so one
// that is killed at once after its first start with Kerf forgets queues, and confirmed messages with them. The bus makes all queues when
// it starts, not when they are needed, so that this moment is as early as possible.
//
// A subscriber without a group has a queue of its own that goes when it does.
//
// What the exchanges and queues are and how a message looks is watermill-amqp's: its programs can read and write here. Its publisher and
// subscriber are not used, because they confirm messages one by one, do not see returned ones, put refused ones back, and do not
// survive a restart of the broker without races; connections, publishing and consuming are amqp091-go's.
package amqp
