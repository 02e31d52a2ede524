package database

import (
	"sync/atomic"
	"time"
)

const (
	// patience is how long a patient command waits for company, and company how many of them are enough of it. The latter keeps up the
	// pace where many patient callers wait for one another's commits.
	patience = 10 * time.Millisecond
	company  = 8
)

// waitingRoom is where patient commands wait for the next group. The writer is not woken for each of them, which would cost more than
// their share of a commit.
type waitingRoom struct {
	commands chan *command
	nudge    chan struct{} // has a token when the writer shall not wait for another command
	inside   atomic.Int64  // commands; counted after they entered and after they left
}

func newWaitingRoom() *waitingRoom {
	return &waitingRoom{commands: make(chan *command, maxWaiting), nudge: make(chan struct{}, 1)}
}

// entered counts a command that was put in, and sees to it that the writer comes in time. The first one sets the alarm for all that enter
// until it goes off; whoever enters later without one of his own is seen by the writer that fetches the first.
func (r *waitingRoom) entered() {
	switch r.inside.Add(1) {
	case 1:
		time.AfterFunc(patience, r.remind)
	case company:
		r.remind()
	}
}

// remind has the writer come if somebody is inside.
func (r *waitingRoom) remind() {
	if len(r.commands) == 0 {
		return
	}
	select {
	case r.nudge <- struct{}{}:
	default:
	}
}

// take returns the command that came first, or nil.
func (r *waitingRoom) take() *command {
	select {
	case c := <-r.commands:
		r.inside.Add(-1)
		return c
	default:
		return nil
	}
}
