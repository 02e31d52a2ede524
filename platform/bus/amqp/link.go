package amqp

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"sync"
	"time"

	amqp091 "github.com/rabbitmq/amqp091-go"

	"kerf/platform/bus"
)

const (
	// dialTimeout bounds connecting with all handshakes.
	dialTimeout = 3 * time.Second
	// writeTimeout bounds a write: a broker that is short of memory or disk reads no more, and heartbeats go on.
	writeTimeout = 5 * time.Second
	// heartbeat makes a peer that is gone or stopped known after two to three of these.
	heartbeat = 5 * time.Second

	firstPause   = 50 * time.Millisecond
	longestPause = time.Second
)

// link is a connection to the broker that is made when somebody needs it, and made anew when it was lost.
type link struct {
	cfg  Config
	name string
	log  *slog.Logger
	// turn holds one token: whoever has it dials, and the others wait for what comes of it.
	turn chan struct{}

	mu       sync.Mutex
	ended    bool
	conn     *amqp091.Connection // nil before the first
	failures int                 // in a row
	failed   error
	until    time.Time // when to dial again after a failure
}

func newLink(cfg Config, name string, log *slog.Logger) *link {
	l := &link{cfg: cfg, name: name, log: log, turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	return l
}

// get returns an open connection. It dials if there is none, but fails at once, with the last failure, if that was a moment ago: nobody
// waits again and again for a broker that is away.
func (l *link) get(ctx context.Context) (*amqp091.Connection, error) {
	select {
	case <-l.turn:
		defer func() { l.turn <- struct{}{} }()
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	l.mu.Lock()
	conn, failed, wait := l.conn, l.failed, time.Until(l.until)
	ended := l.ended
	l.mu.Unlock()
	switch {
	case ended:
		return nil, ErrClosed
	case conn != nil && !conn.IsClosed():
		return conn, nil
	case failed != nil && wait > 0:
		return nil, failed
	}
	if conn != nil && failed == nil {
		l.log.Warn("connection to the broker was lost", "for", l.name)
	}
	conn, err := l.dial(ctx)
	return conn, l.keep(ctx, conn, err)
}

// keep records what came of dialling.
func (l *link) keep(ctx context.Context, conn *amqp091.Connection, err error) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	switch {
	case err == nil && l.ended:
		_ = conn.CloseDeadline(time.Now().Add(closeTimeout))
		return ErrClosed
	case err == nil:
		if l.conn != nil || l.failures > 0 {
			l.log.Info("connected to the broker again", "for", l.name, "failures", l.failures)
		}
		l.conn, l.failed, l.failures = conn, nil, 0
		return nil
	case ctx.Err() != nil:
		return err // the caller's impatience says nothing about the broker
	}
	if l.failures++; l.failures == 1 {
		l.log.Warn("broker cannot be reached, trying again", "for", l.name, "error", err)
	}
	if !refuses(err) {
		err = fmt.Errorf("%w: %w", bus.ErrUnavailable, err)
	}
	l.failed, l.until = err, time.Now().Add(pauseAfter(l.failures))
	return err
}

func (l *link) dial(ctx context.Context) (*amqp091.Connection, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	properties := amqp091.NewConnectionProperties()
	properties.SetClientConnectionName("kerf " + l.name)
	conn, err := amqp091.DialConfig(l.cfg.URL, amqp091.Config{
		Heartbeat:       heartbeat,
		Properties:      properties,
		TLSClientConfig: l.cfg.TLS.Clone(),
		Dial: func(network, address string) (net.Conn, error) {
			var d net.Dialer
			socket, err := d.DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			// For the handshakes; amqp091 takes it away after them.
			deadline, _ := ctx.Deadline()
			return patient{socket}, socket.SetDeadline(deadline)
		},
	})
	if err != nil {
		return nil, fmt.Errorf("connect to the broker: %w", err)
	}
	return conn, nil
}

// end closes the connection for good, and with it whatever waits on it.
func (l *link) end() {
	l.mu.Lock()
	l.ended = true
	conn := l.conn
	l.mu.Unlock()
	if conn != nil {
		_ = conn.CloseDeadline(time.Now().Add(closeTimeout)) // that it was closed already is as good
	}
}

// giveUp closes a connection that does not answer, without a word to the broker.
func giveUp(conn *amqp091.Connection) { _ = conn.CloseDeadline(time.Now()) }

// answerTimeout bounds what is asked of the broker on an open connection.
const answerTimeout = 10 * time.Second

// within gives the connection up if f, which waits for the broker's answers, takes too long.
func within(conn *amqp091.Connection, f func() error) error {
	defer time.AfterFunc(answerTimeout, func() { giveUp(conn) }).Stop()
	return f()
}

// closeChannel closes a channel, and the connection with it if the broker does not answer. What was delivered on the channel and not acked
// goes back to its place in the queue before anybody else gets anything from there.
func closeChannel(conn *amqp091.Connection, ch *amqp091.Channel) {
	defer time.AfterFunc(closeTimeout, func() { giveUp(conn) }).Stop()
	_ = ch.Close() // that it was closed already is as good
}

// patient bounds each write.
type patient struct{ net.Conn }

func (c patient) Write(b []byte) (int, error) {
	if err := c.SetWriteDeadline(time.Now().Add(writeTimeout)); err != nil {
		return 0, err
	}
	return c.Conn.Write(b)
}

// pauseAfter returns how long to wait after the nth failure in a row, n from 1.
func pauseAfter(n int) time.Duration { return min(firstPause<<min(n-1, 10), longestPause) }
