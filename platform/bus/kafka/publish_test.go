package kafka_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	fake "github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kerf/platform/bus"
	"kerf/platform/bus/kafka"
)

const topic = "kerf.test.v1"

// cluster starts a kfake in this process, whose requests a test can watch and refuse.
func cluster(t testing.TB, options ...fake.Opt) (*fake.Cluster, *broker) {
	t.Helper()
	c, err := fake.NewCluster(append([]fake.Opt{fake.NumBrokers(1)}, options...)...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c, &broker{address: c.ListenAddrs()[0]}
}

// produced returns how many Produce requests the cluster has been sent since.
func produced(c *fake.Cluster) *atomic.Int64 {
	var n atomic.Int64
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		c.KeepControl()
		n.Add(1)
		return nil, nil, false
	})
	return &n
}

// subscribe returns what a member of a group hears of the topic.
func subscribe(t testing.TB, b *kafka.Bus, group string) <-chan *message.Message {
	t.Helper()
	sub, err := b.Subscriber(group)
	if err != nil {
		t.Fatal(err)
	}
	messages, err := sub.Subscribe(context.Background(), topic)
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

const patience = 20 * time.Second

func next(t testing.TB, messages <-chan *message.Message) *message.Message {
	t.Helper()
	select {
	case msg, ok := <-messages:
		if !ok {
			t.Fatal("the subscription ended")
		}
		return msg
	case <-time.After(patience):
		t.Fatal("no message came")
	}
	return nil
}

// take acks n messages and returns their ids.
func take(t testing.TB, messages <-chan *message.Message, n int) []string {
	t.Helper()
	var ids []string
	for range n {
		msg := next(t, messages)
		ids = append(ids, msg.UUID)
		msg.Ack()
	}
	return ids
}

// numbered returns messages of one key, and their ids.
func numbered(key string, n int) (messages []*message.Message, ids []string) {
	for i := range n {
		msg := event(key, i+1)
		messages, ids = append(messages, msg), append(ids, msg.UUID)
	}
	return messages, ids
}

func event(key string, sequence int) *message.Message {
	return bus.NewMessage(bus.Meta{
		ID: fmt.Sprintf("%s-%d", key, sequence), Type: "kerf.test.Happened", Source: "test", Subject: key, Key: key,
		Sequence: int64(sequence), Time: time.UnixMicro(1_700_000_000_123_456), ContentType: bus.Protobuf.ContentType(), SchemaVersion: 1,
	}, make([]byte, 200))
}

func publish(t testing.TB, b *kafka.Bus, messages ...*message.Message) {
	t.Helper()
	if err := b.Publisher().Publish(topic, messages...); err != nil {
		t.Fatal(err)
	}
}

func TestABatchGoesOutAsOneRequest(t *testing.T) {
	c, at := cluster(t)
	b := newBus(t, at, nil)
	requests := produced(c)
	publish(t, b, batch("a")...)
	if n := requests.Load(); n != 1 {
		t.Errorf("a batch over all partitions took %d requests to one broker", n)
	}
}

func TestWhatIsTooMuchForARequestGoesOutInSeveral(t *testing.T) {
	c, at := cluster(t)
	b := newBus(t, at, nil)
	requests := produced(c)
	messages, ids := numbered("k", 40)
	for _, msg := range messages {
		msg.Payload = make([]byte, 100<<10)
	}
	publish(t, b, messages...)
	if n := requests.Load(); n < 4 {
		t.Errorf("4 MB were published by %d requests", n)
	}
	if diff := cmp.Diff(ids, take(t, subscribe(t, b, "a"), len(ids))); diff != "" {
		t.Error(diff)
	}
}

func TestPublishersShareRequests(t *testing.T) {
	c, at := cluster(t)
	b := newBus(t, at, nil)
	publish(t, b, batch("first")[0])
	requests := produced(c)
	first, release := make(chan struct{}), make(chan struct{})
	c.ControlKey(int16(kmsg.Produce), func(kmsg.Request) (kmsg.Response, error, bool) {
		close(first)
		c.DropControl()
		c.SleepControl(func() { <-release })
		return nil, nil, false
	})
	const callers = 50
	errs := make(chan error, callers+1)
	send := func(msg *message.Message) { errs <- b.Publisher().Publish(topic, msg) }
	messages := batch("shared")
	go send(messages[0])
	<-first
	for _, msg := range messages[1 : callers+1] {
		go send(msg)
	}
	await(t, "all callers wait", func() bool { return kafka.Pending(b, topic) == callers })
	close(release)
	for range callers + 1 {
		if err := <-errs; err != nil {
			t.Error(err)
		}
	}
	if n := requests.Load(); n != 2 {
		t.Errorf("%d requests for one message and then %d at once", n, callers)
	}
}

// await waits until something holds.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	deadline := time.After(patience)
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("waited in vain until %s", what)
		}
	}
}

func TestWhatABrokerRefusesForAMomentIsSentAgainInOrder(t *testing.T) {
	for _, refusal := range []*kerr.Error{kerr.NotLeaderForPartition, kerr.NotEnoughReplicas, kerr.RequestTimedOut} {
		t.Run(refusal.Message, func(t *testing.T) {
			c, at := cluster(t)
			b := newBus(t, at, nil)
			heard := subscribe(t, b, "a")
			const key, n = "k", 30
			partition := int32(bus.Partition(key, 8))
			faults := c.Fault(fake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Partitions: []int32{partition}, Err: refusal, Count: 3})
			messages, ids := numbered(key, n)
			for i := 0; i < n; i += 10 {
				publish(t, b, messages[i:i+10]...)
			}
			if faults.Hits() != 3 {
				t.Errorf("%d requests were refused", faults.Hits())
			}
			var got []string
			seen := map[string]bool{}
			for len(got) < n {
				// A request that timed out may have been served, and what is sent again then comes twice.
				if id := take(t, heard, 1)[0]; !seen[id] {
					seen[id], got = true, append(got, id)
				}
			}
			if diff := cmp.Diff(ids, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestWhatABrokerRefusesForGoodFailsAtOnce(t *testing.T) {
	c, at := cluster(t)
	b := newBus(t, at, nil)
	messages, _ := numbered("k", 2)
	publish(t, b, messages[0])
	c.Fault(fake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Topic: topic, Err: kerr.MessageTooLarge, Count: -1})
	err := b.Publisher().Publish(topic, messages[1])
	if !errors.Is(err, kafkago.MessageSizeTooLarge) || errors.Is(err, kafka.ErrUnavailable) {
		t.Errorf("error is %v", err)
	}
}

func TestATopicOfAnotherSizeIsRefused(t *testing.T) {
	_, at := cluster(t, fake.SeedTopics(3, topic))
	b := newBus(t, at, nil)
	messages, _ := numbered("k", 1)
	const want = "it has 3 partitions and not 8 as configured, so the order of keys would break"
	if err := b.Publisher().Publish(topic, messages...); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("publish: %v", err)
	}
	sub, err := b.Subscriber("a")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Subscribe(t.Context(), topic); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("subscribe: %v", err)
	}
}

func TestTopicsAreMadeAsConfigured(t *testing.T) {
	c, at := cluster(t, fake.NumBrokers(3))
	b := newBus(t, at, func(cfg *kafka.Config) {
		cfg.Partitions, cfg.Replication, cfg.Retention = 5, 2, time.Hour
	})
	messages, _ := numbered("k", 1)
	publish(t, b, messages...)
	info := c.TopicInfo(topic)
	if n := len(c.PartitionInfos(topic)); n != 5 {
		t.Errorf("%d partitions", n)
	}
	if info.NumReplicas != 2 {
		t.Errorf("%d replicas", info.NumReplicas)
	}
	if ms := info.Configs["retention.ms"]; ms == nil || *ms != "3600000" {
		t.Errorf("retention.ms is %v", ms)
	}
}

func TestATopicThatWasDeletedIsMadeAgain(t *testing.T) {
	c, at := cluster(t)
	b := newBus(t, at, func(cfg *kafka.Config) { cfg.Timing.Publish = 300 * time.Millisecond })
	messages, _ := numbered("k", 1)
	publish(t, b, messages...)
	if err := c.DeleteTopic(topic); err != nil {
		t.Fatal(err)
	}
	await(t, "publishing succeeds", func() bool { return b.Publisher().Publish(topic, messages...) == nil })
}

func TestPublishFailsInBoundedTimeWhenNoBrokerAnswers(t *testing.T) {
	b := newBus(t, &broker{address: freeAddress(t)}, func(cfg *kafka.Config) { cfg.Timing.Publish = 200 * time.Millisecond })
	messages, _ := numbered("k", 1)
	started := time.Now()
	err := b.Publisher().Publish(topic, messages...)
	if took := time.Since(started); took > 5*time.Second {
		t.Errorf("it took %s", took)
	}
	if !errors.Is(err, kafka.ErrUnavailable) || !strings.Contains(err.Error(), "connection refused") {
		t.Errorf("error is %v", err)
	}
}

func TestTheContextOfAMessageEndsPublishing(t *testing.T) {
	c, at := cluster(t)
	b := newBus(t, at, nil)
	messages, _ := numbered("k", 3)
	publish(t, b, messages[0])
	c.Fault(fake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	messages[2].SetContext(ctx)
	err := b.Publisher().Publish(topic, messages[1:]...)
	if !errors.Is(err, context.DeadlineExceeded) || !errors.Is(err, kafkago.NotEnoughReplicas) {
		t.Errorf("error is %v", err)
	}
}

func TestClosingAPublisherEndsItsCallsAndNoOthers(t *testing.T) {
	c, at := cluster(t)
	b := newBus(t, at, nil)
	messages, _ := numbered("k", 3)
	publish(t, b, messages[0])
	faults := c.Fault(fake.Fault{Keys: []kmsg.Key{kmsg.Produce}, Err: kerr.NotEnoughReplicas, Count: -1})
	closed, other := b.Publisher(), b.Publisher()
	errs, otherErrs := make(chan error, 1), make(chan error, 1)
	go func() { errs <- closed.Publish(topic, messages[1]) }()
	go func() { otherErrs <- other.Publish(topic, messages[2]) }()
	if err := faults.Wait(t.Context(), 2); err != nil {
		t.Fatal(err)
	}
	if err := closed.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-errs; !errors.Is(err, kafka.ErrClosed) {
		t.Errorf("error is %v", err)
	}
	if err := closed.Publish(topic, messages[1]); !errors.Is(err, kafka.ErrClosed) {
		t.Errorf("error is %v", err)
	}
	faults.Remove()
	if err := <-otherErrs; err != nil {
		t.Errorf("the other publisher: %v", err)
	}
}
