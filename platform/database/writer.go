package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"runtime/debug"
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

// writer runs the commands of one database. All but queue, mu and closed belong to its goroutine.
type writer struct {
	db      *DB
	log     *slog.Logger
	wal     string // path of the write-ahead log
	session *sql.Conn
	conn    *connection // the same connection, past database/sql
	control [len(controlText)]driver.Stmt
	group   []*command
	running *command // the one whose function is being called
	commits int      // since the write-ahead log was last looked at
	nextCut time.Time

	queue   chan *command
	stopped chan struct{}
	mu      sync.RWMutex // held for reading while a command is queued
	closed  bool
}

func startWriter(ctx context.Context, db *DB, path string, log *slog.Logger) (*writer, error) {
	w := &writer{
		db: db, log: log, wal: path + "-wal",
		queue: make(chan *command, maxWaiting), stopped: make(chan struct{}),
	}
	if err := w.connect(ctx); err != nil {
		return nil, err
	}
	go w.loop(nil)
	return w, nil
}

// control is a statement that steers the transaction.
type control int

const (
	begin control = iota
	commit
	rollback
	// Around each command.
	save
	undo
	release
	// Around a nested savepoint; the same name names the innermost.
	saveInner
	undoInner
	releaseInner
)

var controlText = [...]string{
	begin: "BEGIN IMMEDIATE", commit: "COMMIT", rollback: "ROLLBACK",
	save: "SAVEPOINT command", undo: "ROLLBACK TO command", release: "RELEASE command",
	saveInner: "SAVEPOINT nested", undoInner: "ROLLBACK TO nested", releaseInner: "RELEASE nested",
}

// connect takes the pool's only connection for good.
func (w *writer) connect(ctx context.Context) error {
	session, err := w.db.writers.Conn(ctx)
	if err != nil {
		return err
	}
	w.session = session
	return session.Raw(func(c any) error {
		w.conn = c.(*connection)
		for i, text := range controlText {
			if w.control[i], err = w.conn.SQLiteConn.Prepare(text); err != nil {
				return err
			}
		}
		return nil
	})
}

func (w *writer) steer(statement control) error {
	_, err := w.control[statement].(driver.StmtExecContext).ExecContext(context.Background(), nil)
	return w.conn.note(err)
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
	for _, s := range w.control {
		s.Close()
	}
	// Past database/sql, whose Close would wait for ever for a result that somebody forgot to close.
	return w.conn.Close()
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
		w.cutLog() // Nobody waits for it but who comes now.
	}
}

// run executes a group, whose first command is given, in one transaction, and answers it.
func (w *writer) run(first *command) {
	if err := w.begin(); err != nil {
		w.refuse(first, err)
		return
	}
	started := time.Now()
	for c := first; c != nil; c = w.next(started) {
		if !c.state.CompareAndSwap(waiting, taken) {
			continue
		}
		if lost := w.step(c); lost {
			w.rerun(c)
			return
		}
		w.group = append(w.group, c)
	}
	if len(w.group) == 0 { // All had given up.
		w.rollback()
		return
	}
	if err := w.commit(len(w.group)); err != nil {
		if len(w.group) == 1 {
			w.fail(w.group[0], err)
			w.answer(w.group[0])
			return
		}
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
func (w *writer) step(c *command) (lost bool) {
	c.err, c.hooks = nil, nil
	if err := c.ctx.Err(); err != nil {
		c.err = notBegun(w.db.module, err)
		return false
	}
	if err := w.steer(save); err != nil {
		c.err = err
		return true
	}
	tx := &Tx{ctx: txContext{caller: c.ctx, db: w.db}, db: w.db, writer: w}
	err := w.call(c, tx)
	if left := w.conn.closeRows(); left > 0 && err == nil {
		err = fault.Internal(fmt.Errorf("the command left %d results open", left), "rows_left_open")
	}
	if failure := w.conn.takeFailure(); failure != nil {
		err = failure
	}
	if w.conn.AutoCommit() {
		c.err = err
		if !isFailure(err) {
			c.err = unavailable(w.db.module, err)
		}
		return true
	}
	return w.finish(c, tx, err)
}

// finish keeps or undoes what a command wrote.
func (w *writer) finish(c *command, tx *Tx, err error) (lost bool) {
	c.err = err
	if err == nil {
		c.hooks = tx.hooks
	} else if failure := w.steer(undo); failure != nil {
		c.err = failure
		return true
	}
	if failure := w.steer(release); failure != nil {
		c.err = failure
		return true
	}
	return false
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

func (w *writer) begin() error {
	if !w.conn.AutoCommit() {
		w.rollback() // The last one did not succeed.
	}
	_ = w.conn.takeFailure() // the last one's
	return w.steer(begin)
}

// commit makes the group durable; if it cannot, nothing of it is left.
func (w *writer) commit(size int) error {
	started := time.Now()
	err := w.steer(commit)
	if err != nil {
		w.rollback()
		return err
	}
	w.db.metrics.commitSeconds.Observe(time.Since(started).Seconds())
	w.db.metrics.groupSize.Observe(float64(size))
	w.commits++
	return nil
}

// rollback ends a transaction, unless SQLite has ended it already.
func (w *writer) rollback() {
	w.conn.closeRows()
	if w.conn.AutoCommit() {
		return
	}
	if err := w.steer(rollback); err != nil {
		w.log.Error("transaction could not be rolled back", "module", w.db.module, "error", err)
	}
}

// rerun answers the group after its transaction was lost, by the command at fault if that is known, which has its error
// already. What the others saw of each other is gone, refusals included, so they run again, alone.
func (w *writer) rerun(atFault *command) {
	w.db.metrics.lost.Inc()
	w.rollback()
	w.log.Warn("transaction lost, its commands run alone", "module", w.db.module, "commands", len(w.group))
	if atFault != nil {
		w.answer(atFault)
	}
	for len(w.group) > 0 {
		c := w.group[0]
		w.group = w.group[1:]
		w.alone(c)
		w.answer(c)
	}
}

// alone runs a command in a transaction of its own.
func (w *writer) alone(c *command) {
	if err := w.begin(); err != nil {
		c.err, c.hooks = err, nil
		return
	}
	if lost := w.step(c); lost {
		w.rollback()
		return
	}
	if err := w.commit(1); err != nil {
		w.fail(c, err)
	}
}

// fail records that a command's commit failed; one that was refused anyhow keeps its refusal.
func (w *writer) fail(c *command, err error) {
	c.hooks = nil
	if c.err == nil {
		c.err = err
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

// answer runs what was to happen after the commit, and lets the caller go on.
func (w *writer) answer(c *command) {
	for _, hook := range c.hooks {
		w.runHook(hook)
	}
	c.done <- struct{}{}
}

func (w *writer) runHook(hook func()) {
	defer func() {
		if p := recover(); p != nil {
			w.log.Error("hook after commit panicked", "module", w.db.module, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	hook()
}
