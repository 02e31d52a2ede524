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

// Internal is a process's one internal port: HTTP/2 goes to grpc-go, HTTP/1.1 to net/http for health, metrics and REST mounts.
type Internal struct {
	Listener net.Listener
	Server   *Server
	HTTP     http.Handler
	// Grace is how long calls under way may take to end when the port closes.
	Grace time.Duration
	Log   *slog.Logger
}

// Run serves until ctx is done, lets calls end within the grace period, and returns nil; or it returns why serving failed. It closes
// the listener.
func (p Internal) Run(ctx context.Context) error {
	http2, http1 := split(p.Listener)
	web := &http.Server{
		Handler:           p.HTTP,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       2 * time.Minute,
		ErrorLog:          slog.NewLogLogger(p.Log.Handler(), slog.LevelWarn),
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
	drained, cancel := context.WithTimeout(context.WithoutCancel(ctx), p.Grace)
	defer cancel()
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		p.Server.Stop(p.Grace)
	}()
	if err := web.Shutdown(drained); err != nil {
		err = web.Close() // those that did not end in time
		failed = errors.Join(failed, err)
	}
	<-stopped
	for range running {
		failed = errors.Join(failed, <-ended)
	}
	return failed
}

func wrapped(protocol string, err error) error {
	if err == nil || errors.Is(err, http.ErrServerClosed) || errors.Is(err, net.ErrClosed) {
		return nil
	}
	return fmt.Errorf("serve %s on the internal port: %w", protocol, err)
}
