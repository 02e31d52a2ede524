package amqp

// QueueOf names the queue of a partition for a group.
var QueueOf = queueOf
