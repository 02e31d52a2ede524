// Package forward gives several replicas of a server one address: it passes TCP connections on to them in turn.
//
// It knows nothing of what is said on a connection, so it costs little and works for streams as for requests; what it cannot do is move a
// connection whose replica dies, which its client has to open again.
package forward

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// Forwarder passes connections on.
type Forwarder struct {
	listener net.Listener
	replicas func() []string
	log      *slog.Logger
	turn     atomic.Uint64

	open  sync.WaitGroup
	mu    sync.Mutex
	conns map[net.Conn]bool
}

// New makes a forwarder from a listener to the replicas, host:port, that are there when a connection arrives.
func New(listener net.Listener, replicas func() []string, log *slog.Logger) *Forwarder {
	return &Forwarder{listener: listener, replicas: replicas, log: log, conns: map[net.Conn]bool{}}
}

// Run accepts connections until ctx ends, and then no more. Those that are open go on: see Stop.
func (f *Forwarder) Run(ctx context.Context) error {
	stop := context.AfterFunc(ctx, func() { _ = f.listener.Close() })
	defer stop()
	for {
		client, err := f.listener.Accept()
		switch {
		case err == nil:
			f.open.Go(func() { f.serve(context.WithoutCancel(ctx), client) })
		case ctx.Err() != nil || errors.Is(err, net.ErrClosed):
			return nil
		default: // too many open files, for instance: that passes
			f.log.Warn("a connection could not be accepted", "error", err)
			select {
			case <-ctx.Done():
			case <-time.After(50 * time.Millisecond):
			}
		}
	}
}

// Stop waits until the connections have ended, and closes those that have not when ctx ends. Run must have returned.
func (f *Forwarder) Stop(ctx context.Context) error {
	ended := make(chan struct{})
	go func() {
		f.open.Wait()
		close(ended)
	}()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
	}
	f.mu.Lock()
	for conn := range f.conns {
		_ = conn.Close()
	}
	f.mu.Unlock()
	<-ended
	return errors.New("connections were cut off")
}

// dialLimit is how long one replica may take to answer, on this machine.
const dialLimit = time.Second

// serve passes one connection on to the next replica that takes it.
func (f *Forwarder) serve(ctx context.Context, client net.Conn) {
	defer f.keep(client)()
	replicas := f.replicas()
	first := f.turn.Add(1)
	for i := range replicas {
		address := replicas[(first+uint64(i))%uint64(len(replicas))]
		dialer := net.Dialer{Timeout: dialLimit}
		server, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			continue
		}
		defer f.keep(server)()
		both(client, server)
		return
	}
	f.log.Warn("nobody takes the connection", "replicas", replicas)
}

// keep remembers a connection until the returned function closes it.
func (f *Forwarder) keep(conn net.Conn) (closeIt func()) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.conns[conn] = true
	return func() {
		f.mu.Lock()
		delete(f.conns, conn)
		f.mu.Unlock()
		_ = conn.Close()
	}
}

// both copies in both directions until both have ended. On Linux the bytes do not leave the kernel.
func both(client, server net.Conn) {
	var copying sync.WaitGroup
	copying.Go(func() { half(server, client) })
	half(client, server)
	copying.Wait()
}

// half copies until the source says no more, and passes that on. A source that breaks off has nothing to hear any more either.
func half(to, from net.Conn) {
	_, err := io.Copy(to, from)
	if tcp, ok := to.(interface{ CloseWrite() error }); ok && err == nil {
		_ = tcp.CloseWrite()
		return
	}
	_ = to.Close()
	_ = from.Close()
}
