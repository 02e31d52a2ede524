package bus

import (
	"context"

	"github.com/ThreeDotsLabs/watermill/message"
)

// In returns a bus whose topics are those of b whose names begin with the namespace, so that several installations share a broker and do not
// hear each other. An empty namespace returns b.
func In(namespace string, b Bus) Bus {
	if namespace == "" {
		return b
	}
	return within{Bus: b, prefix: prefixOf(namespace)}
}

// GroupsIn returns who hears what, by the names that topics have in a namespace.
func GroupsIn(namespace string, groups map[string][]string) map[string][]string {
	named := make(map[string][]string, len(groups))
	for topic, listeners := range groups {
		named[prefixOf(namespace)+topic] = listeners
	}
	return named
}

func prefixOf(namespace string) string {
	if namespace == "" {
		return ""
	}
	return namespace + "."
}

// within is a part of a bus that stores messages: of one that settles them it would hide that.
type within struct {
	Bus
	prefix string
}

func (w within) Publisher() message.Publisher { return publisherWithin{w.Bus.Publisher(), w.prefix} }

func (w within) Subscriber(group string) (message.Subscriber, error) {
	subscriber, err := w.Bus.Subscriber(group)
	if err != nil {
		return nil, err
	}
	return subscriberWithin{subscriber, w.prefix}, nil
}

type publisherWithin struct {
	message.Publisher
	prefix string
}

func (p publisherWithin) Publish(topic string, messages ...*message.Message) error {
	return p.Publisher.Publish(p.prefix+topic, messages...)
}

type subscriberWithin struct {
	message.Subscriber
	prefix string
}

func (s subscriberWithin) Subscribe(ctx context.Context, topic string) (<-chan *message.Message, error) {
	return s.Subscriber.Subscribe(ctx, s.prefix+topic)
}

// SubscribeInitialize makes the group known to the bus, where the bus wants that.
func (s subscriberWithin) SubscribeInitialize(topic string) error {
	if initializer, ok := s.Subscriber.(message.SubscribeInitializer); ok {
		return initializer.SubscribeInitialize(s.prefix + topic)
	}
	return nil
}
