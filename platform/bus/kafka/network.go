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
// readers try. Other troubles it tells when they last, and then once a minute each: what is tried again and works is none.
type network struct {
	dialer net.Dialer
	log    *slog.Logger

	mu       sync.Mutex
	down     map[string]bool     // by address
	troubles map[string]*trouble // by what they are about
}

// trouble is what goes wrong again and again.
type trouble struct{ first, last, told time.Time }

// A trouble is told when it has lasted for lasting, and is over when it has not come again for quiet.
const (
	lasting = 2 * time.Second
	quiet   = 15 * time.Second
)

func newNetwork(log *slog.Logger) *network {
	return &network{
		dialer:   net.Dialer{Timeout: dialTimeout, KeepAlive: 30 * time.Second},
		log:      log,
		down:     map[string]bool{},
		troubles: map[string]*trouble{},
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

// trouble logs what went wrong about something: as a warning if it lasts and no broker is down, which would explain it.
func (n *network) trouble(about, what string, args ...any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	now := time.Now()
	t := n.troubles[about]
	if t == nil || now.Sub(t.last) > quiet || len(n.down) > 0 {
		t = &trouble{first: now}
		n.troubles[about] = t
	}
	t.last = now
	level := slog.LevelDebug
	if now.Sub(t.first) > lasting && now.Sub(t.told) > time.Minute {
		level = slog.LevelWarn
		t.told = now
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
