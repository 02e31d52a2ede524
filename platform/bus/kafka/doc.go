// Package kafka carries events over Apache Kafka, or anything that speaks its protocol, on segmentio/kafka-go.
//
// A topic has a fixed number of partitions and a message's key decides its partition, as Kafka's own producers would decide. Metadata
// travel as headers, so a CloudEvent is one to any client. What is published at the same time on a topic goes out together, in one
// request for each broker that leads a part of it, and is done when all in-sync replicas have it; nothing waits for a batch to fill.
//
// Each subscription is one member of the Kafka group <group>.<topic>, so that who joins one topic disturbs no other. From each partition
// that it is given one message is in flight; what was acked is committed a moment later, so after a crash some messages come again.
// When partitions move, what is in flight gets a moment to be acked and is committed before the next member starts.
//
// A subscriber without a group reads all partitions from their ends on, commits nothing, and loses its oldest messages if it is slow.
//
// A group's subscription to a topic of eight partitions costs 21 goroutines and 9 connections; each connection is asked nothing but
// one fetch that the broker holds for seconds while there is nothing to read, and a heartbeat.
package kafka
