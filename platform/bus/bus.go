package bus

import (
	"errors"

	"github.com/ThreeDotsLabs/watermill/message"
)

// ErrUnavailable is in the chain of errors of Publish that tell nothing against the messages: the broker could not be reached, or did not
// answer in time. Whether they were published is then unknown.
var ErrUnavailable = errors.New("bus is unavailable")

// Bus carries events between modules.
type Bus interface {
	// Publisher returns a publisher of its own; closing it closes nothing else.
	Publisher() message.Publisher
	// Subscriber returns a member of a group: each message of a topic goes to one member of each group that hears the topic. With
	// the group "" each subscriber hears all messages that are published while it listens, and loses some if it is slow.
	Subscriber(group string) (message.Subscriber, error)
	// Close ends all publishers and subscribers and waits for them. Messages that no group has acked are lost with a bus in memory,
	// so whoever must not lose them publishes from an outbox. Close may be called more than once.
	Close() error
}

// Settler is a publisher that learns when a message has been dealt with everywhere. A bus in memory implements it, because what it
// holds is gone after a crash; a bus that stores messages has no need to.
type Settler interface {
	message.Publisher
	// PublishSettling publishes as Publish does and calls settled once for each message, after every group that hears the topic
	// has acked it. settled is called from the bus's own goroutines and must not block; it may be called before PublishSettling
	// returns. It is not called for messages that are lost because the bus is closed.
	PublishSettling(topic string, settled func(*message.Message), messages ...*message.Message) error
}

// Topic returns the name of the topic on which a module publishes its events.
func Topic(module string) string { return "kerf." + module + ".v1" }
