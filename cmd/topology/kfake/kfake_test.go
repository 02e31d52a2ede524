package kfake_test

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kerf/cmd/topology/kfake"
)

func start(t *testing.T, listen, dir string) *kfake.Broker {
	t.Helper()
	b, err := kfake.Start(listen, dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(b.Close)
	return b
}

func make8(t *testing.T, b *kfake.Broker, topic string) *kafka.Client {
	t.Helper()
	client := &kafka.Client{Addr: kafka.TCP(b.Address()), Timeout: 10 * time.Second}
	answer, err := client.CreateTopics(t.Context(), &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: topic, NumPartitions: 8, ReplicationFactor: 1}}})
	if err := errors.Join(err, answer.Errors[topic]); err != nil {
		t.Fatal(err)
	}
	return client
}

func TestWhatAFolderHoldsIsServedAgain(t *testing.T) {
	dir := t.TempDir()
	b := start(t, "127.0.0.1:0", dir)
	client := make8(t, b, "t")
	if _, err := client.Produce(t.Context(), &kafka.ProduceRequest{
		Topic: "t", Partition: 3, RequiredAcks: kafka.RequireAll, Records: kafka.NewRecordReader(kafka.Record{Value: kafka.NewBytes([]byte("kept"))}),
	}); err != nil {
		t.Fatal(err)
	}
	b.Close()
	again := start(t, "127.0.0.1:0", dir)
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{again.Address()}, Topic: "t", Partition: 3, MaxWait: 100 * time.Millisecond})
	defer reader.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	record, err := reader.ReadMessage(ctx)
	if err != nil || string(record.Value) != "kept" {
		t.Errorf("read %q, %v", record.Value, err)
	}
}

func TestRunFailsIfItCannotListen(t *testing.T) {
	b := start(t, "127.0.0.1:0", "")
	if err := kfake.Run(t.Context(), b.Address(), t.TempDir()); err == nil {
		t.Error("two brokers listen on one address")
	}
}

// A process that is killed while it joins a group must not keep a part of the topic.
func TestAMemberThatDiesWhileItJoinsIsMissed(t *testing.T) {
	b := start(t, "127.0.0.1:0", "")
	make8(t, b, "t")
	group, err := kafka.NewConsumerGroup(kafka.ConsumerGroupConfig{
		ID: "g", Brokers: []string{b.Address()}, Topics: []string{"t"},
		HeartbeatInterval: 300 * time.Millisecond, SessionTimeout: 2 * time.Second, RebalanceTimeout: time.Second, JoinGroupBackoff: 100 * time.Millisecond,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer group.Close()
	// parts returns how many partitions the living member has in the next generation.
	parts := func() int {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		defer cancel()
		for {
			g, err := group.Next(ctx)
			if ctx.Err() != nil {
				t.Fatal("there is no next generation")
			}
			if err == nil {
				return len(g.Assignments["t"])
			}
		}
	}
	if n := parts(); n != 8 {
		t.Fatalf("the first member has %d partitions", n)
	}
	joinAndDie(t, b.Address())
	// The dead one may be given partitions at first, but not for longer than its session.
	for parts() != 8 {
	}
}

// joinAndDie asks to join the group, and is gone before it is answered.
func joinAndDie(t *testing.T, address string) {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	join := kmsg.NewPtrJoinGroupRequest()
	join.SetVersion(2)
	join.Group, join.ProtocolType, join.SessionTimeoutMillis, join.RebalanceTimeoutMillis = "g", "consumer", 2000, 1000
	metadata := kmsg.NewConsumerMemberMetadata()
	metadata.Topics = []string{"t"}
	for _, name := range []string{"range", "roundrobin"} {
		join.Protocols = append(join.Protocols, kmsg.JoinGroupRequestProtocol{Name: name, Metadata: metadata.AppendTo(nil)})
	}
	if _, err := c.Write(kmsg.NewRequestFormatter().AppendRequest(nil, join, 1)); err != nil {
		t.Fatal(err)
	}
}
