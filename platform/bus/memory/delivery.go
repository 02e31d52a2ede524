package memory

import (
	"context"
	"sync"
)

// delivery is the context of a message in flight. It does not hang on its parent as one of context.WithCancel would, which costs a
// lock that all messages of a subscription share: whoever sent the message watches the parent anyway, and ends it.
type delivery struct {
	context.Context // the subscription's

	mu   sync.Mutex
	done chan struct{} // made when somebody asks
	err  error
}

// Done implements context.Context.
func (d *delivery) Done() <-chan struct{} {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.done == nil {
		d.done = make(chan struct{})
		if d.err != nil {
			close(d.done)
		}
	}
	return d.done
}

// Err implements context.Context.
func (d *delivery) Err() error {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.err
}

func (d *delivery) end() {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.err != nil {
		return
	}
	d.err = context.Canceled
	if d.done != nil {
		close(d.done)
	}
}
