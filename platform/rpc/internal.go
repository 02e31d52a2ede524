package rpc

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Internal is a process's one internal port: HTTP/2 goes to grpc-go, HTTP/1.1 to net/http for Connect, health, metrics and REST mounts.
// With TLS, clients that offer both get HTTP/1.1, so ordinary HTTPS clients need not be told anything.
type Internal struct {
	Listener net.Listener
	Server   *Server
	// HTTP answers what is no operation of the server.
	HTTP http.Handler
	// TLS demands a certificate for operations; whatever HTTP answers needs none. Nil is for processes of one machine: operations are then
	// served to these alone.
	TLS *TLS
	// Drain ends what would not end by itself, such as streams, before the port waits for the rest; nil for nothing.
	Drain func(context.Context) error
	// Grace is how long calls under way may take to end when the port closes.
	Grace time.Duration
	Log   *slog.Logger
}

// Run serves until ctx is done, lets calls end within the grace period, and returns nil; or it returns why serving failed. It closes
// the listener.
func (p Internal) Run(ctx context.Context) error {
	http2, http1 := split(p.Listener, p.TLS, p.Log)
	web := &http.Server{
		Handler:           p.Server.over(p.HTTP),
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(p.Log.Handler(), slog.LevelWarn),
		ConnContext: func(ctx context.Context, conn net.Conn) context.Context {
			return context.WithValue(ctx, callerKey{}, callerAt(conn))
		},
	}
	ended := make(chan error, 2)
	go func() { ended <- wrapped("gRPC", p.Server.Serve(http2)) }()
	go func() { ended <- wrapped("HTTP", web.Serve(http1)) }()

	var failed error
	running := 2
	select {
	case <-ctx.Done():
	case failed = <-ended:
		running--
	}
	failed = errors.Join(failed, p.stop(context.WithoutCancel(ctx), web))
	for range running {
		failed = errors.Join(failed, <-ended)
	}
	return failed
}

// stop takes no new calls and waits for those under way, of both protocols at the same time.
func (p Internal) stop(ctx context.Context, web *http.Server) error {
	ctx, cancel := context.WithTimeout(ctx, p.Grace)
	defer cancel()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		p.Server.Stop(p.Grace)
	}()
	defer func() { <-stopped }()
	var err error
	if p.Drain != nil {
		err = p.Drain(ctx)
	}
	if web.Shutdown(ctx) != nil {
		err = errors.Join(err, web.Close()) // those that did not end in time
	}
	return err
}

func wrapped(protocol string, err error) error {
	if err == nil || errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("serve %s on the internal port: %w", protocol, err)
}
