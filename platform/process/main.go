package process

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
	"time"
)

// The exit statuses of every command.
const (
	OK     = 0
	Failed = 1
	Misuse = 2
)

// gcPercent lets the heap grow to three times what is live before it is collected. What is live are some ten MiB, and
// collecting at twice that took 4 % more of the processor's time under load. GOGC overrules it.
const gcPercent = 200

// Main runs a command and gives its exit status. SIGTERM or SIGINT end the command's
// context; a second one ends the process at once, with status 1, unless it is an echo of
// the first. The error is printed on stderr.
func Main(stderr io.Writer, command func(ctx context.Context) error) (status int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(gcPercent)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT)
	defer signal.Stop(signals)
	go func() {
		select {
		case s := <-signals:
			cancel(fmt.Errorf("signal: %v", s))
		case <-ctx.Done():
			return
		}
		first := time.Now()
		for <-signals; time.Since(first) < echo; <-signals {
		}
		fmt.Fprintln(stderr, "kerf: second signal, ending at once")
		os.Exit(Failed)
	}()
	err := command(ctx)
	status = ExitStatus(err)
	if status != OK {
		fmt.Fprintf(stderr, "kerf: %v\n", err)
	}
	return status
}

// echo is within what time a signal that comes again is still the same one: timeout(1)
// and terminals send it to the process and to its group.
const echo = 250 * time.Millisecond

// ExitStatus is the status for a command's error: Misuse if it is the user's to mend,
// which an error says by a method Usage.
func ExitStatus(err error) int {
	var usage interface{ Usage() bool }
	switch {
	case err == nil, errors.Is(err, flag.ErrHelp):
		return OK
	case errors.As(err, &usage) && usage.Usage():
		return Misuse
	}
	return Failed
}
