package kafka

import (
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"

	"kerf/platform/bus"
)

// Mechanisms of signing in to a broker, for SASL.Mechanism.
const (
	Plain       = "plain"
	ScramSHA256 = "scram-sha-256"
	ScramSHA512 = "scram-sha-512"
)

// SASL is how a client signs in.
type SASL struct {
	// Mechanism is empty for none.
	Mechanism          string
	Username, Password string
}

// Config says which brokers, and how topics are made.
type Config struct {
	// Brokers are the host:port of some brokers of the cluster; the others are learnt from them.
	Brokers []string
	// Partitions of each topic; 8 if zero. A topic that exists with another number is refused, since the order of a key would break.
	Partitions int
	// Replication of topics that are made; the broker's default if zero.
	Replication int
	// Retention of messages in topics that are made; 7 days if zero.
	Retention time.Duration
	// TLS is nil for none.
	TLS  *tls.Config
	SASL SASL
	// ClientID tells the brokers' operators who connects; "kerf" if empty.
	ClientID string
	// Key returns the key of a message; bus.KeyOf if nil.
	Key func(*message.Message) string
	// Timing is for tests; its zero value is for production.
	Timing Timing
}

// Timing holds what is waited for, and how long.
type Timing struct {
	// Publish is how long a call of Publish, and the first use of a topic, may take until they fail; 10 s if zero. The context of a
	// message may end it sooner.
	Publish time.Duration
	// Fetch is how long a broker holds a request for messages while it has none; 10 s if zero. A message that comes ends the wait.
	Fetch time.Duration
	// Heartbeat is how often a member tells its group that it lives, and so how soon it learns that partitions move; 1 s if zero.
	Heartbeat time.Duration
	// Session is after how long a silence a member's partitions are given to others; 6 s if zero, less than which brokers refuse unless
	// they are configured otherwise. A process that was killed is missed for so long, also by the one that replaces it.
	Session time.Duration
	// Commit is for how long acks are gathered before they are committed; 250 ms if zero. After a crash so much comes again.
	Commit time.Duration
	// Grace is how long what is in flight may take to be acked when its partition moves to another member; 500 ms if zero.
	Grace time.Duration
	// Close is how long leaving a group may take until its connections are cut; 5 s if zero.
	Close time.Duration
	// Retry is the pause before a connection, a join or a request that failed is tried again; 200 ms if zero. Some pauses grow.
	Retry time.Duration
	// Lag is how often a group that is behind asks how far; 10 s if zero.
	Lag time.Duration
}

func (t Timing) withDefaults() Timing {
	for _, d := range []struct {
		is   *time.Duration
		zero time.Duration
	}{
		{&t.Publish, 10 * time.Second},
		{&t.Fetch, 10 * time.Second},
		{&t.Heartbeat, time.Second},
		{&t.Session, 6 * time.Second},
		{&t.Commit, 250 * time.Millisecond},
		{&t.Grace, 500 * time.Millisecond},
		{&t.Close, 5 * time.Second},
		{&t.Retry, 200 * time.Millisecond},
		{&t.Lag, 10 * time.Second},
	} {
		if *d.is == 0 {
			*d.is = d.zero
		}
	}
	return t
}

func (c Config) withDefaults() Config {
	if c.Partitions == 0 {
		c.Partitions = 8
	}
	if c.Replication == 0 {
		c.Replication = -1 // Kafka's word for its default
	}
	if c.Retention == 0 {
		c.Retention = 7 * 24 * time.Hour
	}
	if c.ClientID == "" {
		c.ClientID = "kerf"
	}
	if c.Key == nil {
		c.Key = bus.KeyOf
	}
	c.Timing = c.Timing.withDefaults()
	return c
}

// validate reports all that is wrong at once.
func (c Config) validate() error {
	var problems []error
	if len(c.Brokers) == 0 {
		problems = append(problems, errors.New("no broker is named"))
	}
	for _, broker := range c.Brokers {
		if _, _, err := net.SplitHostPort(broker); err != nil {
			problems = append(problems, fmt.Errorf("broker %q is not host:port", broker))
		}
	}
	if c.Partitions < 0 || c.Replication < 0 || c.Retention < 0 {
		problems = append(problems, errors.New("partitions, replication and retention may not be negative"))
	}
	return errors.Join(problems...)
}

// mechanism returns how to sign in, nil if not at all.
func (s SASL) mechanism() (sasl.Mechanism, error) {
	switch s.Mechanism {
	case "":
		return nil, nil
	case Plain:
		return plain.Mechanism{Username: s.Username, Password: s.Password}, nil
	case ScramSHA256:
		return scram.Mechanism(scram.SHA256, s.Username, s.Password)
	case ScramSHA512:
		return scram.Mechanism(scram.SHA512, s.Username, s.Password)
	default:
		return nil, fmt.Errorf("SASL mechanism %q is not known", s.Mechanism)
	}
}
