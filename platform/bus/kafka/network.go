package kafka

import (
	"context"
	"log/slog"
	"net"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// dialTimeout bounds each attempt to connect, with its handshakes.
const dialTimeout = 5 * time.Second

// network connects a bus to its brokers. It tells once when a broker cannot be reached, and once when it can be again, however many
// readers try; and other troubles no more than once a minute each.
type network struct {
	dialer net.Dialer
	log    *slog.Logger

	mu   sync.Mutex
	down map[string]bool      // by address
	told map[string]time.Time // when a trouble was logged last, by what it is about
}

func newNetwork(log *slog.Logger) *network {
	return &network{
		dialer: net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second},
		log:    log,
		down:   map[string]bool{},
		told:   map[string]time.Time{},
	}
}

func (n *network) dial(ctx context.Context, protocol, address string) (net.Conn, error) {
	c, err := n.dialer.DialContext(ctx, protocol, address)
	n.mu.Lock()
	defer n.mu.Unlock()
	switch {
	case err == nil && n.down[address]:
		delete(n.down, address)
		n.log.Info("broker is reached again", "broker", address)
	case err != nil && !n.down[address] && ctx.Err() != context.Canceled:
		n.down[address] = true
		n.log.Warn("broker cannot be reached, trying again", "broker", address, "error", err)
	}
	return c, err
}

// trouble logs what went wrong about something, unless a broker is down, which explains it, or it has been said lately.
func (n *network) trouble(about, what string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	level := slog.LevelDebug
	if last, ok := n.told[about]; len(n.down) == 0 && (!ok || time.Since(last) > time.Minute) {
		level = slog.LevelWarn
		n.told[about] = time.Now()
	}
	n.log.Log(context.Background(), level, what, args...)
}

// line makes connections and can cut them all. kafka-go closes a connection only when what it asked has been answered, and a fetch or a
// join takes as long as the broker likes.
type line struct {
	network *network

	mu    sync.Mutex
	cut   bool
	conns map[*conn]struct{}
}

func newLine(n *network) *line { return &line{network: n, conns: map[*conn]struct{}{}} }

// dialer returns kafka-go's dialer for connections of the line.
func (l *line) dialer(b *Bus) *kafka.Dialer {
	return &kafka.Dialer{ClientID: b.cfg.ClientID, Timeout: dialTimeout, DialFunc: l.dial, TLS: b.cfg.TLS, SASLMechanism: b.sasl}
}

func (l *line) dial(ctx context.Context, protocol, address string) (net.Conn, error) {
	if l.isCut() {
		return nil, net.ErrClosed
	}
	made, err := l.network.dial(ctx, protocol, address)
	if err != nil {
		return nil, err
	}
	c := &conn{Conn: made, line: l}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.cut {
		made.Close()
		return nil, net.ErrClosed
	}
	l.conns[c] = struct{}{}
	return c, nil
}

func (l *line) isCut() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut
}

// close cuts the connections, and none is made any more.
func (l *line) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut = true
	for c := range l.conns {
		c.Conn.Close()
	}
}

// conn is a connection that its line can cut.
type conn struct {
	net.Conn
	line *line
}

// Close implements net.Conn.
func (c *conn) Close() error {
	c.line.mu.Lock()
	delete(c.line.conns, c)
	c.line.mu.Unlock()
	return c.Conn.Close()
}
