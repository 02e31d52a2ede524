package amqp_test

import (
	"context"
	"log/slog"
	"maps"
	"os"
	"os/exec"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/ThreeDotsLabs/watermill/pubsub/tests"
	amqp091 "github.com/rabbitmq/amqp091-go"

	"kerf/platform/bus"
	"kerf/platform/bus/amqp"
	"kerf/platform/bus/bustest"
)

// broker returns the URL of the RabbitMQ that tests run against.
func broker(t testing.TB) string {
	t.Helper()
	url := os.Getenv("KERF_TEST_AMQP")
	if url == "" {
		t.Skip("left out: KERF_TEST_AMQP is not set; start a RabbitMQ and set it to its URL, such as amqp://guest:guest@127.0.0.1:5672/")
	}
	return url
}

// newBus returns a bus, and deletes the queues of its groups when the test has ended.
func newBus(t testing.TB, cfg amqp.Config) *amqp.Bus {
	t.Helper()
	if cfg.URL == "" {
		cfg.URL = broker(t)
	}
	b, err := amqp.New(cfg, slog.New(slog.NewTextHandler(t.Output(), &slog.HandlerOptions{Level: slog.LevelDebug})), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { forget(t, cfg.Groups) })
	t.Cleanup(func() {
		if err := b.Close(); err != nil {
			t.Error(err)
		}
	})
	return b
}

// forget deletes topics and their groups' queues.
func forget(t testing.TB, groups map[string][]string) {
	t.Helper()
	conn, err := amqp091.Dial(broker(t))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		t.Fatal(err)
	}
	for topic, names := range groups {
		for _, group := range names {
			for partition := range 8 {
				if _, err := ch.QueueDelete(amqp.QueueOf(topic, group, partition), false, false, false); err != nil {
					t.Error(err)
				}
			}
		}
		if err := ch.ExchangeDelete(topic, false, false); err != nil {
			t.Error(err)
		}
	}
}

func TestConformance(t *testing.T) {
	broker(t)
	d := bustest.Driver{Patience: patience}
	if command := os.Getenv("KERF_TEST_AMQP_RESTART"); command != "" {
		d.Restart = func(t *testing.T) {
			// RabbitMQ 3 writes down which queues there are only within two or three seconds, and gives no sign of it.
			<-time.After(4 * time.Second)
			restart(t, command)
		}
	}
	d.Open = func(t *testing.T, o bustest.Options) bus.Bus {
		return newBus(t, amqp.Config{Groups: map[string][]string{o.Topic: o.Groups}})
	}
	bustest.Run(t, d)
}

// restart runs the shell command that restarts the broker.
func restart(t *testing.T, command string) {
	if out, err := exec.Command("sh", "-c", command).CombinedOutput(); err != nil {
		t.Errorf("%s: %v\n%s", command, err, out)
	}
}

// TestWatermill runs Watermill's own suite. Its ordering test wants one order for each payload, so that is the key. Its TestReconnect is
// left out, since it races with itself: it compares what was received with a slice that another goroutine still appends to. What it is
// about, TestNothingIsLostOrOutOfOrderWhenTheBrokerRestarts covers.
func TestWatermill(t *testing.T) {
	broker(t)
	seen := &topology{groups: map[string]map[string]bool{}}
	t.Cleanup(func() { forget(t, seen.list()) })
	b := newBus(t, amqp.Config{Key: func(msg *message.Message) string { return string(msg.Payload) }})
	inGroup := func(t *testing.T, group string) (message.Publisher, message.Subscriber) {
		sub, err := b.Subscriber(group)
		if err != nil {
			t.Fatal(err)
		}
		return b.Publisher(), recorder{sub, group, seen}
	}
	features := tests.Features{ConsumerGroups: true, GuaranteedOrder: true, Persistent: true}
	tests.TestPubSub(t, features,
		func(t *testing.T) (message.Publisher, message.Subscriber) { return inGroup(t, "suite") },
		inGroup,
	)
}

// topology is which groups have subscribed to which topics.
type topology struct {
	mu     sync.Mutex
	groups map[string]map[string]bool
}

func (s *topology) add(topic, group string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.groups[topic] == nil {
		s.groups[topic] = map[string]bool{}
	}
	s.groups[topic][group] = true
}

func (s *topology) list() map[string][]string {
	s.mu.Lock()
	defer s.mu.Unlock()
	groups := map[string][]string{}
	for topic, names := range s.groups {
		groups[topic] = slices.Collect(maps.Keys(names))
	}
	return groups
}

// recorder notes what it subscribes to.
type recorder struct {
	message.Subscriber
	group string
	seen  *topology
}

func (r recorder) SubscribeInitialize(topic string) error {
	r.seen.add(topic, r.group)
	return r.Subscriber.(message.SubscribeInitializer).SubscribeInitialize(topic)
}

func (r recorder) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	r.seen.add(topic, r.group)
	return r.Subscriber.Subscribe(ctx, topic)
}
