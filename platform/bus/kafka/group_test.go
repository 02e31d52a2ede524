package kafka_test

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	kafkago "github.com/segmentio/kafka-go"
	"github.com/twmb/franz-go/pkg/kerr"
	fake "github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kmsg"

	"kerf/platform/bus"
	"kerf/platform/bus/kafka"
)

// committed returns the place that a group was told for the partition of a key; 0 if none.
func committed(c *fake.Cluster, group, key string) int64 {
	if info := c.GroupInfo(group + "." + topic); info != nil {
		return info.Commits[topic][int32(bus.Partition(key, 8))].Offset
	}
	return 0
}

func TestCommitsNeverPassWhatIsNotAcked(t *testing.T) {
	c, at := cluster(t)
	b := newBus(t, at, nil)
	heard := subscribe(t, b, "a")
	messages, _ := numbered("k", 3)
	publish(t, b, messages...)
	take(t, heard, 2)
	last := next(t, heard)
	await(t, "the acks are committed", func() bool { return committed(c, "a", "k") == 2 })
	last.Nack()
	last = next(t, heard)
	if at := committed(c, "a", "k"); at != 2 {
		t.Errorf("the group is at %d though the third message was refused", at)
	}
	last.Ack()
	await(t, "the last ack is committed", func() bool { return committed(c, "a", "k") == 3 })
}

func TestClosingCommitsWhatWasAckedAndLeavesTheGroup(t *testing.T) {
	c, at := cluster(t)
	b := newBus(t, at, func(cfg *kafka.Config) { cfg.Timing.Commit = time.Hour })
	heard := subscribe(t, b, "a")
	messages, _ := numbered("k", 3)
	publish(t, b, messages...)
	take(t, heard, 2)
	if err := b.Close(); err != nil {
		t.Fatal(err)
	}
	// The ack of the second may have come with the end of the subscription.
	if at := committed(c, "a", "k"); at != 1 && at != 2 {
		t.Errorf("the group is at %d", at)
	}
	if n := len(c.GroupInfo("a." + topic).Members); n != 0 {
		t.Errorf("the group has %d members", n)
	}
}

func TestACommitThatFailsIsMadeAgain(t *testing.T) {
	c, at := cluster(t)
	registry := prometheus.NewRegistry()
	b := observed(t, at, registry, slog.New(slog.DiscardHandler))
	heard := subscribe(t, b, "a")
	c.Fault(fake.Fault{Keys: []kmsg.Key{kmsg.OffsetCommit}, Err: kerr.CoordinatorLoadInProgress, Count: 1})
	messages, _ := numbered("k", 2)
	publish(t, b, messages[0])
	take(t, heard, 1)
	await(t, "the failure is counted", func() bool {
		n, err := testutil.GatherAndCount(registry, "kerf_bus_commit_errors_total")
		return err == nil && n == 1 && value(t, registry, "kerf_bus_commit_errors_total") == 1
	})
	publish(t, b, messages[1])
	take(t, heard, 1)
	await(t, "both acks are committed", func() bool { return committed(c, "a", "k") == 2 })
}

// observed returns a bus that tells of itself.
func observed(t *testing.T, at *broker, registry *prometheus.Registry, log *slog.Logger) *kafka.Bus {
	t.Helper()
	b, err := kafka.New(kafka.Config{Brokers: []string{at.address}, Timing: quick}, log, registry)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close() })
	return b
}

// value returns the sum of a metric's series.
func value(t *testing.T, registry *prometheus.Registry, name string) float64 {
	t.Helper()
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	sum := 0.0
	for _, family := range families {
		if family.GetName() == name {
			for _, m := range family.GetMetric() {
				sum += m.GetCounter().GetValue() + m.GetGauge().GetValue()
			}
		}
	}
	return sum
}

func TestMetricsTellWhatFlowsAndHowFarAGroupIsBehind(t *testing.T) {
	_, at := cluster(t)
	registry := prometheus.NewRegistry()
	b := observed(t, at, registry, slog.New(slog.DiscardHandler))
	messages, _ := numbered("k", 5)
	publish(t, b, messages...)
	heard := subscribe(t, b, "a")
	next(t, heard).Nack()
	held := next(t, heard)
	for name, want := range map[string]float64{
		"kerf_bus_published_total": 5, "kerf_bus_delivered_total": 2, "kerf_bus_redelivered_total": 1, "kerf_bus_lag": 5,
	} {
		if got := value(t, registry, name); got != want {
			t.Errorf("%s is %v, want %v", name, got, want)
		}
	}
	more, _ := numbered("k", 40)
	publish(t, b, more...)
	// The reader has fetched no further than its queue, and asks how far that is from the end.
	await(t, "the lag grows while a message is held", func() bool { return value(t, registry, "kerf_bus_lag") == 45 })
	held.Ack()
	take(t, heard, 44)
	await(t, "the lag is gone", func() bool { return value(t, registry, "kerf_bus_lag") == 0 })
}

func TestPartitionsMoveOnlyWhenWhatIsInFlightWasAcked(t *testing.T) {
	_, at := cluster(t)
	b := newBus(t, at, func(cfg *kafka.Config) { cfg.Timing.Grace = patience })
	one := subscribe(t, b, "a")
	messages, ids := numbered("k", 2)
	publish(t, b, messages...)
	held := next(t, one)
	two := subscribe(t, b, "a")
	select {
	case msg := <-two:
		t.Fatalf("%s came to the new member, though the old one holds a message of its key", msg.UUID)
	case <-time.After(5 * quick.Heartbeat): // in which the old member has learnt of the new one
	}
	held.Ack()
	select {
	case msg := <-one:
		ids = append(ids, msg.UUID)
		msg.Ack()
	case msg := <-two:
		ids = append(ids, msg.UUID)
		msg.Ack()
	case <-time.After(patience):
		t.Fatal("the next message did not come")
	}
	if ids[2] != ids[1] {
		t.Errorf("%s came after %s", ids[2], ids[0])
	}
}

func TestLeadersMoveWhileMessagesFlow(t *testing.T) {
	c, at := cluster(t, fake.NumBrokers(3))
	b := newBus(t, at, nil)
	heard := subscribe(t, b, "a")
	const keys, perKey = 16, 20
	var publishing sync.WaitGroup
	for k := range keys {
		publishing.Go(func() {
			messages, _ := numbered(fmt.Sprint("k", k), perKey)
			for i, msg := range messages {
				if k == 0 && i%5 == 4 {
					c.ShufflePartitionLeaders()
				}
				if err := b.Publisher().Publish(topic, msg); err != nil {
					t.Errorf("publish: %v", err)
				}
			}
		})
	}
	last := map[string]int64{}
	for left := keys * perKey; left > 0; {
		msg := next(t, heard)
		meta, _ := bus.MetaOf(msg)
		switch last[meta.Key] {
		case meta.Sequence - 1:
			last[meta.Key]++
			left--
		default:
			if meta.Sequence > last[meta.Key] {
				t.Errorf("%s came after %d", msg.UUID, last[meta.Key])
			}
		}
		msg.Ack()
	}
	publishing.Wait()
}

func TestAGroupReadsWhatABrokerThatLostItsDataStillHas(t *testing.T) {
	address := freeAddress(t)
	listen := fake.ListenFn(listenOn(address))
	first, err := fake.NewCluster(fake.NumBrokers(1), listen)
	if err != nil {
		t.Fatal(err)
	}
	at := &broker{address: address}
	b := newBus(t, at, func(cfg *kafka.Config) { cfg.Timing.Publish = 300 * time.Millisecond })
	heard := subscribe(t, b, "a")
	messages, _ := numbered("k", 3)
	publish(t, b, messages...)
	take(t, heard, 3)
	first.Close()
	cluster(t, listen, fake.SeedTopics(8, topic))
	again, ids := numbered("k", 2)
	await(t, "publishing succeeds", func() bool { return b.Publisher().Publish(topic, again...) == nil })
	got := take(t, heard, 2)
	if diff := cmp.Diff(ids, got); diff != "" {
		t.Error(diff)
	}
}

func TestOtherProgramsReadAndWriteTheSameTopics(t *testing.T) {
	_, at := cluster(t)
	b := newBus(t, at, nil)
	publish(t, b, event("order", 1))
	reader := kafkago.NewReader(kafkago.ReaderConfig{
		Brokers: []string{at.address}, Topic: topic, Partition: bus.Partition("order", 8), MaxWait: 100 * time.Millisecond,
	})
	defer reader.Close()
	record, err := reader.ReadMessage(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	headers := map[string]string{}
	for _, h := range record.Headers {
		headers[h.Key] = string(h.Value)
	}
	if string(record.Key) != "order" || headers["ce_id"] != "order-1" || headers["ce_type"] != "kerf.test.Happened" || headers["content-type"] != "application/protobuf" {
		t.Errorf("record has key %q and headers %v", record.Key, headers)
	}

	heard := subscribe(t, b, "a")
	take(t, heard, 1)
	writer := &kafkago.Writer{Addr: kafkago.TCP(at.address), Topic: topic, Balancer: kafkago.Murmur2Balancer{}, BatchTimeout: time.Millisecond}
	defer writer.Close()
	if err := writer.WriteMessages(t.Context(), kafkago.Message{Key: []byte("order"), Value: []byte("plain")}); err != nil {
		t.Fatal(err)
	}
	msg := next(t, heard)
	if want := fmt.Sprintf("%s-%d-1", topic, bus.Partition("order", 8)); msg.UUID != want || string(msg.Payload) != "plain" {
		t.Errorf("%s came with %q, want %s", msg.UUID, msg.Payload, want)
	}
	msg.Ack()
}

func TestAnOutageIsLoggedOnce(t *testing.T) {
	at := kfakeProcess(t)
	var log lockedBuffer
	b := observed(t, at, prometheus.NewRegistry(), slog.New(slog.NewTextHandler(&log, nil)))
	heard := subscribe(t, b, "a")
	messages, ids := numbered("k", 2)
	publish(t, b, messages[0])
	take(t, heard, 1)
	at.kill(t)
	publish(t, b, messages[1])
	// An ack that was not committed comes again.
	await(t, "the second message comes", func() bool { return take(t, heard, 1)[0] == ids[1] })
	if n := strings.Count(log.String(), "level=WARN"); n > 1 {
		t.Errorf("%d warnings for one outage:\n%s", n, log.String())
	}
}

func TestCloseIsBoundedWhenTheBrokerHangs(t *testing.T) {
	at := kfakeProcess(t)
	b := newBus(t, at, func(cfg *kafka.Config) { cfg.Timing.Close = 300 * time.Millisecond })
	heard := subscribe(t, b, "a")
	listening := subscribe(t, b, "")
	messages, _ := numbered("k", 2)
	publish(t, b, messages...)
	take(t, heard, 1)
	take(t, listening, 2)
	next(t, heard)
	at.signal(t, "STOP")
	defer at.signal(t, "CONT")
	waiting := make(chan error, 1)
	go func() { waiting <- b.Publisher().Publish(topic, messages[0]) }()
	closed := make(chan error, 1)
	go func() { closed <- b.Close() }()
	select {
	case err := <-closed:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(3 * time.Second):
		t.Fatal("the bus did not close")
	}
	if err := <-waiting; err == nil {
		t.Error("a message was published to a broker that hangs")
	}
	if _, ok := <-heard; ok {
		t.Error("the subscription goes on")
	}
}

// signal sends a signal to the broker's process.
func (b *broker) signal(t *testing.T, name string) {
	t.Helper()
	if out, err := exec.CommandContext(context.Background(), "sh", "-c", "kill -"+name+" $(cat "+b.pid+")").CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// lockedBuffer is a buffer that a log and a test share.
type lockedBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lockedBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lockedBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
