package experiments

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"math/rand/v2"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill"
	"github.com/ThreeDotsLabs/watermill/message"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"kerf/benchmarks/codec"
	"kerf/benchmarks/usage"
	"kerf/modules/orders/ordersapi"
	"kerf/platform/bus"
	"kerf/platform/bus/amqp"
	"kerf/platform/bus/kafka"
	memorybus "kerf/platform/bus/memory"
	"kerf/platform/ids"
)

// What all drivers carry alike: one topic, which one group hears, with the events of so many orders at a time.
const (
	busTopic      = "kerf.orders.v1"
	busGroup      = "tracking"
	busKeys       = 64
	busPublishers = 4
	// busBatch is how many messages a publisher hands over at once when it has many: as a relay does that finds so many in its outbox.
	busBatch = 100
	// busCredit bounds the messages that are published and not handled, so that no driver is measured by how fast it piles them up.
	busCredit = 4096
	busDrain  = 15 * time.Second
)

// busChild carries golden events over one bus and reports how fast, at which cost and how soon.
func busChild(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("bus", flag.ContinueOnError)
	flags.SetOutput(stderr)
	driver := flags.String("driver", "memory", "memory, kafka or amqp")
	address := flags.String("address", "", "host:port of Kafka, URL of RabbitMQ")
	watched := flags.String("broker", "", "the broker's processes, name=pid, separated by commas")
	source := flags.String("source", ".", "the folder of Kerf's source")
	seed := flags.Uint64("seed", 1, "of events and arrivals")
	rate := flags.Float64("rate", 500, "messages per second of the open loop")
	first := flags.Duration("first", time.Second, "warm-up before the first part")
	warmup := flags.Duration("warmup", time.Second, "before each other part")
	window := flags.Duration("window", 3*time.Second, "of each part")
	if err := flags.Parse(args); err != nil {
		return err
	}
	carrier, err := openBus(*driver, *address)
	if err != nil {
		return err
	}
	payloads, err := payloads(*source, *seed)
	if err != nil {
		return errors.Join(err, carrier.Close())
	}
	groups, err := processesOf(*watched)
	if err != nil {
		return errors.Join(err, carrier.Close())
	}
	b := &busBench{
		bus: carrier, publisher: carrier.Publisher(), payloads: payloads, first: *first, warmup: *warmup, length: *window,
		watch:  usage.Watch(append(groups, usage.Group{Name: *driver + " module", Role: usage.Modules, PID: os.Getpid()})...),
		ledger: newLedger(), told: report{Values: map[string]float64{}, Samples: map[string]int64{}},
	}
	if err := errors.Join(b.run(ctx, *rate, *seed), b.bus.Close()); err != nil {
		return err
	}
	return tell(stdout, b.told)
}

// openBus opens a bus as a process of Kerf's does.
func openBus(driver, address string) (bus.Bus, error) {
	log := slog.New(slog.DiscardHandler)
	groups := map[string][]string{busTopic: {busGroup}}
	switch driver {
	case "memory":
		return memorybus.New(memorybus.Config{Groups: groups}), nil
	case "kafka":
		return kafka.New(kafka.Config{Brokers: []string{address}}, log, nil)
	case "amqp":
		return amqp.New(amqp.Config{URL: address, Groups: groups}, log, nil)
	}
	return nil, fmt.Errorf("there is no bus %q", driver)
}

// payload is an event as an outbox holds it.
type payload struct {
	kind    string
	version int
	data    []byte
	message protoreflect.MessageType
}

// payloads are variants of the events of an order, 114 to 223 bytes in the golden files.
func payloads(source string, seed uint64) ([]payload, error) {
	golden, err := codec.Golden(source)
	if err != nil {
		return nil, err
	}
	random := rand.New(rand.NewPCG(seed, 4))
	var made []payload
	for range 8 {
		for _, event := range golden {
			if event.ProtoReflect().Descriptor().ParentFile() != ordersapi.File_modules_orders_ordersapi_orders_proto {
				continue
			}
			data, err := bus.Protobuf.Encode(codec.Vary(event, random))
			if err != nil {
				return nil, err
			}
			kind, version := bus.TypeOf(event)
			made = append(made, payload{kind, version, data, event.ProtoReflect().Type()})
		}
	}
	return made, nil
}

// processesOf reads name=pid,name=pid.
func processesOf(text string) ([]usage.Group, error) {
	var groups []usage.Group
	for part := range strings.SplitSeq(text, ",") {
		if part == "" {
			continue
		}
		name, number, _ := strings.Cut(part, "=")
		pid, err := strconv.Atoi(number)
		if err != nil {
			return nil, fmt.Errorf("%q is not name=pid", part)
		}
		groups = append(groups, usage.Group{Name: name, Role: usage.Broker, PID: pid, Children: true})
	}
	return groups, nil
}

// handle is what every listener does with a message, less its transaction: it reads the attributes and the event. The ledger sees that none is lost,
// doubled or out of order.
func (b *busBench) handle(msg *message.Message) error {
	meta, err := bus.MetaOf(msg)
	if err == nil {
		err = bus.Decode(meta.ContentType, msg.Payload, b.empty(meta.Type))
	}
	b.ledger.handled(meta, err, time.Now())
	return nil // a message that cannot be read is a violation, and no better when it comes again
}

// empty is a message for an event of the type.
func (b *busBench) empty(kind string) proto.Message {
	for i := range b.payloads {
		if b.payloads[i].kind == kind {
			return b.payloads[i].message.New().Interface()
		}
	}
	return nil // which decodes to an error
}

// listen has Watermill's router bring the group's messages to the handler, as in every process of Kerf's.
func (b *busBench) listen(ctx context.Context) (stop func() error, err error) {
	subscriber, err := b.bus.Subscriber(busGroup)
	if err != nil {
		return nil, err
	}
	if initializer, ok := subscriber.(message.SubscribeInitializer); ok {
		if err := initializer.SubscribeInitialize(busTopic); err != nil {
			return nil, err
		}
	}
	router, err := message.NewRouter(message.RouterConfig{CloseTimeout: busDrain}, watermill.NopLogger{})
	if err != nil {
		return nil, err
	}
	router.AddConsumerHandler("bench", busTopic, subscriber, b.handle)
	ended := make(chan error, 1)
	go func() { ended <- router.Run(ctx) }()
	select {
	case <-router.Running():
	case err := <-ended:
		return nil, err
	}
	return func() error { return errors.Join(router.Close(), <-ended) }, nil
}

// next makes the next message of an order. Its sequence is taken, so it has to be published before the next one of that order.
func (b *busBench) next(key int, intended time.Time) *message.Message {
	name := keyNames[key]
	sequence := b.ledger.take(name)
	p := b.payloads[(key+int(sequence))%len(b.payloads)]
	meta := bus.Meta{
		ID: ids.New(), Type: p.kind, Source: "orders", Subject: name, Key: name, Sequence: sequence, Time: time.Now(), CorrelationID: name,
		ContentType: bus.Protobuf.ContentType(), SchemaVersion: p.version,
	}
	if !intended.IsZero() {
		b.ledger.expect(meta.ID, intended)
	}
	return bus.NewMessage(meta, p.data)
}

// keyNames are the ids of the orders.
var keyNames = func() (names [busKeys]string) {
	for i := range names {
		names[i] = fmt.Sprintf("0190a000-0000-7000-8000-%012d", i)
	}
	return names
}()
