package database

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
	"slices"
	"sync"
	"time"

	"kerf/platform/fault"
)

const (
	// maxGroup and maxHold bound how many commands share a commit, and how long the first one waits for the last one to join.
	maxGroup = 256
	maxHold  = 5 * time.Millisecond
	// maxWaiting bounds the commands that wait; who comes later waits to wait.
	maxWaiting = 1024
)

// maxAttempts bounds how often a command is run whose transaction is lost through no fault of its own.
const maxAttempts = 3

// writer runs the commands of one database. All but queue, mu and closed belong to its goroutine.
type writer struct {
	db      *DB
	log     *slog.Logger
	session session
	file    *fileSession // the same, if it is one, for what is called for every statement
	group   []*command
	running *command // the one whose function is being called
	topics  []string // the group's
	// What the transaction with this number knows of the jobs' epochs, which nobody else changes while it lasts.
	transaction int64
	epoch       map[string]int64

	queue   chan *command
	stopped chan struct{}
	mu      sync.RWMutex // held for reading while a command is queued
	closed  bool
}

func startWriter(ctx context.Context, db *DB) (*writer, error) {
	session, err := db.backend.write(ctx)
	if err != nil {
		return nil, err
	}
	w := &writer{
		db: db, log: db.log, session: session,
		queue: make(chan *command, maxWaiting), stopped: make(chan struct{}),
	}
	w.file, _ = session.(*fileSession)
	go w.loop(nil)
	return w, nil
}

// close lets the writer finish what waits.
func (w *writer) close() error {
	w.mu.Lock()
	if !w.closed {
		w.closed = true
		close(w.queue)
	}
	w.mu.Unlock()
	<-w.stopped
	return w.session.close()
}

// loop runs groups until the queue is closed. A command that ends its goroutine (runtime.Goexit, as testing's FailNow does)
// must not end the writer: another goroutine goes on, first with what is left of that command's group.
func (w *writer) loop(interrupted *command) {
	defer func() {
		if c := w.running; c != nil {
			w.running = nil
			go w.loop(c)
			return
		}
		close(w.stopped)
	}()
	if interrupted != nil {
		interrupted.err = fault.Internal(errors.New("the command ended its goroutine"), "goexit")
		w.rerun(interrupted)
	}
	for c := range w.queue {
		w.run(c)
		clear(w.group)
		w.group = w.group[:0]
		w.session.rest() // Nobody waits for it but who comes now.
	}
}

// run executes a group, whose first command is given, in one transaction, and answers it.
func (w *writer) run(first *command) {
	if err := w.session.begin(); err != nil {
		w.refuse(first, err)
		return
	}
	started := time.Now()
	for c := first; c != nil; c = w.next(started) {
		if !c.state.CompareAndSwap(waiting, taken) {
			continue
		}
		switch w.step(c) {
		case intact:
			w.group = append(w.group, c)
		case cut:
			w.group = append(w.group, c)
			w.rerun(nil)
			return
		default:
			w.rerun(c)
			return
		}
	}
	if len(w.group) == 0 { // All had given up.
		w.session.rollback()
		return
	}
	switch lost, err := w.commit(w.group); {
	case err == nil:
	case lost == unknown:
		w.fail(w.group, err)
	case lost == spoiled && len(w.group) == 1:
		w.fail(w.group, err)
	default:
		w.rerun(nil)
		return
	}
	for _, c := range w.group {
		w.answer(c)
	}
}

// next returns a command that waits and may still join the group, or nil.
func (w *writer) next(started time.Time) *command {
	if len(w.group) >= maxGroup || time.Since(started) > maxHold {
		return nil
	}
	select {
	case c := <-w.queue:
		return c
	default:
	}
	// Callers that can run are about to come: letting them is cheaper than another fsync.
	runtime.Gosched()
	select {
	case c := <-w.queue:
		return c
	default:
		return nil
	}
}

// step runs one command between savepoints. It reports whether the transaction is lost, with all that was done in it.
func (w *writer) step(c *command) loss {
	c.err, c.hooks, c.topics = nil, nil, nil
	if err := c.ctx.Err(); err != nil {
		c.err = notBegun(w.db.module, err)
		return intact
	}
	if err := w.session.steer(save); err != nil {
		return w.lose(c, err)
	}
	tx := &Tx{ctx: txContext{caller: c.ctx, db: w.db}, db: w.db, writer: w}
	err := w.call(c, tx)
	if left := w.session.closeRows(); left > 0 && err == nil {
		err = fault.Internal(fmt.Errorf("the command left %d results open", left), "rows_left_open")
	}
	if failed := w.session.failed(); failed != nil && err == nil {
		err = statementFailed(failed)
	}
	if err == nil {
		err = w.session.settle()
	}
	if failure := w.session.takeFailure(); failure != nil {
		err = failure
	}
	if w.session.lost() != intact {
		return w.lose(c, err)
	}
	return w.finish(c, tx, err)
}

// lose records that the transaction was lost while c ran.
func (w *writer) lose(c *command, err error) loss {
	c.err = err
	if !isFailure(err) {
		c.err = unavailable(w.db.module, err)
	}
	return max(w.session.lost(), spoiled)
}

// finish keeps or undoes what a command wrote.
func (w *writer) finish(c *command, tx *Tx, err error) loss {
	c.err = err
	if err == nil {
		c.hooks, c.topics = tx.hooks, tx.topics
	} else if failure := w.session.steer(undo); failure != nil {
		return w.lose(c, failure)
	}
	if failure := w.session.steer(release); failure != nil {
		return w.lose(c, failure)
	}
	return intact
}

// call runs a command's function, and turns a panic into an error.
func (w *writer) call(c *command, tx *Tx) (err error) {
	w.running = c
	defer func() {
		tx.writer = nil
		p := recover()
		if p == nil {
			return
		}
		w.running = nil
		w.log.Error("command panicked", "module", w.db.module, "panic", p, "stack", string(debug.Stack()))
		err = fault.Internal(fmt.Errorf("panic: %v", p), "panic")
	}()
	err = c.f(&tx.ctx, tx)
	w.running = nil
	return err
}

// commit makes the group durable; if it cannot, nothing of it is left, unless that is unknown.
func (w *writer) commit(group []*command) (loss, error) {
	w.topics = w.topics[:0]
	for _, c := range group {
		for _, topic := range c.topics {
			if !slices.Contains(w.topics, topic) {
				w.topics = append(w.topics, topic)
			}
		}
	}
	started := time.Now()
	lost, err := w.session.commit(w.topics)
	if err != nil {
		if lost == unknown {
			w.remember(group)
		}
		return lost, err
	}
	w.db.metrics.commitSeconds.Observe(time.Since(started).Seconds())
	w.db.metrics.groupSize.Observe(float64(len(group)))
	return intact, nil
}

// remember keeps what was to happen after a commit of unknown outcome, should it turn out to be a success.
func (w *writer) remember(group []*command) {
	kept := make([]*command, 0, len(group))
	for _, c := range group {
		kept = append(kept, &command{hooks: c.hooks, topics: c.topics})
	}
	w.session.onceKnown(func() {
		for _, c := range kept {
			w.after(c)
		}
	})
}

// rerun answers the group after its transaction was lost, by the command at fault if that is known, which has its error
// already. What the others saw of each other is gone, refusals included, so they run again, alone.
func (w *writer) rerun(atFault *command) {
	w.db.metrics.lost.Inc()
	w.session.rollback()
	w.log.Warn("transaction lost, its commands run alone", "module", w.db.module, "commands", len(w.group))
	if atFault != nil {
		w.answer(atFault)
	}
	for len(w.group) > 0 {
		c := w.group[0]
		w.group = w.group[1:]
		away := w.alone(c)
		w.answer(c)
		if away { // None of the others would fare better, and each would wait for as long.
			for _, other := range w.group {
				other.err, other.hooks, other.topics = c.err, nil, nil
				w.answer(other)
			}
			return
		}
	}
}

// alone runs a command in a transaction of its own, again if that is lost through no fault of the command. It reports whether no
// transaction could begin.
func (w *writer) alone(c *command) (away bool) {
	group := []*command{c}
	for attempt := 1; ; attempt++ {
		if err := w.session.begin(); err != nil {
			c.err, c.hooks, c.topics = err, nil, nil
			return true
		}
		lost := w.step(c)
		if lost == intact {
			var err error
			if lost, err = w.commit(group); err == nil {
				return false
			}
			w.fail(group, err)
		}
		w.session.rollback()
		if lost != cut || attempt == maxAttempts {
			return false
		}
	}
}

// fail records that a group's commit failed. Who was refused alone keeps the refusal; with others, it may rest on what they wrote.
func (w *writer) fail(group []*command, err error) {
	for _, c := range group {
		c.hooks, c.topics = nil, nil
		if c.err == nil || len(group) > 1 {
			c.err = err
		}
	}
}

// refuse answers a command, and all that wait behind it, with the reason why no transaction could begin: each of them would
// otherwise wait for the lock in turn.
func (w *writer) refuse(first *command, err error) {
	for c := first; c != nil; {
		if c.state.CompareAndSwap(waiting, taken) {
			c.err = err
			w.answer(c)
		}
		select {
		case c = <-w.queue:
		default:
			c = nil
		}
	}
}

// epochs returns the epochs that are known in the present transaction, to be added to.
func (w *writer) epochs() map[string]int64 {
	if now := w.session.transaction(); now != w.transaction || w.epoch == nil {
		w.transaction, w.epoch = now, map[string]int64{}
	}
	return w.epoch
}

// answer runs what was to happen after the commit, and lets the caller go on.
func (w *writer) answer(c *command) {
	w.after(c)
	c.done <- struct{}{}
}

// after runs what was to happen after the commit.
func (w *writer) after(c *command) {
	for _, hook := range c.hooks {
		w.runHook(hook)
	}
	for _, topic := range c.topics {
		w.runHook(func() { w.db.notices.own(topic) })
	}
}

func (w *writer) runHook(hook func()) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("hook after commit panicked", "module", w.db.module, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	hook()
}
