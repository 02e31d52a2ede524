package kafka

import (
	"fmt"
	"math"

	"github.com/segmentio/kafka-go"
)

// reader reads one partition. It reconnects by itself, and again and again.
type reader struct {
	*kafka.Reader
	line *line
}

// Sizes of what a reader holds: it is handed on message by message, and the rest waits in the socket.
const (
	readAhead = 16
	maxFetch  = 1 << 20
)

// read returns a reader of a partition from an offset on, which may be kafka.FirstOffset or kafka.LastOffset.
func (b *Bus) read(topic string, partition int, offset int64) *reader {
	l := newLine(b.network)
	r := kafka.NewReader(kafka.ReaderConfig{
		Brokers:               b.cfg.Brokers,
		Topic:                 topic,
		Partition:             partition,
		Dialer:                l.dialer(b),
		QueueCapacity:         readAhead,
		MinBytes:              1,
		MaxBytes:              maxFetch,
		MaxWait:               b.cfg.Timing.Fetch,
		ReadLagInterval:       -1,
		ReadBackoffMin:        b.cfg.Timing.Retry,
		ReadBackoffMax:        10 * b.cfg.Timing.Retry,
		MaxAttempts:           math.MaxInt, // to report only what it does not try again
		OffsetOutOfRangeError: true,
		ErrorLogger: kafka.LoggerFunc(func(format string, args ...any) {
			if !l.isCut() {
				b.network.trouble(topic, "topic cannot be read, trying again", "topic", topic, "partition", partition, "error", fmt.Sprintf(format, args...))
			}
		}),
	})
	_ = r.SetOffset(offset) // fails only for a member of a group
	return &reader{r, l}
}

// close ends the reader, whatever it waits for.
func (r *reader) close() {
	r.line.close()
	_ = r.Close() // never fails
}
