package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"syscall"
)

// Listen opens a TCP port. The error is one line that names the address and what is
// wrong with it.
func Listen(ctx context.Context, address string) (net.Listener, error) {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("cannot listen on %s: another process does", address)
	}
	var syscallError *os.SyscallError
	if errors.As(err, &syscallError) {
		err = syscallError.Err
	}
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", address, err)
	}
	return listener, nil
}

// HTTP is the component that serves on listener. When it is stopped it accepts nothing
// more, calls drain, which has streams end that would go on for ever and may be nil, and lets
// the requests in hand be answered; those that take too long are cut off.
func HTTP(name string, server *http.Server, listener net.Listener, drain func(context.Context) error) Component {
	return Component{
		Name: name,
		Run: func(context.Context) error {
			if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
				return err
			}
			return nil
		},
		Stop: func(ctx context.Context) error {
			var err error
			if drain != nil {
				err = drain(ctx)
			}
			if server.Shutdown(ctx) != nil {
				err = errors.Join(err, errors.New("requests in hand were cut off"), server.Close())
			}
			return err
		},
	}
}

// Ready prints the one line that a server prints on stdout.
func Ready(stdout io.Writer, url string) error {
	_, err := fmt.Fprintf(stdout, "ready %s\n", url)
	return err
}
