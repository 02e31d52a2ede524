package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"kerf/platform/fault"
)

// ErrFenced says that another process has taken over the job.
var ErrFenced = errors.New("another process has taken over the job")

// errLost is the cause of a job's context that ended because its lock may be lost.
var errLost = fmt.Errorf("the job's lock may be lost: %w", ErrFenced)

// retryFence is how long a job waits that could not record that it was taken.
const retryFence = time.Second

// Fence is a process's claim to a job, as it stood when the job was taken.
type Fence struct {
	name  string
	epoch int64
}

// Exclusive runs f while no other call with the same name does, in this process or another one that has the schema open, and returns what
// f returned; until then it waits, and returns ctx's error when that ends.
//
// The lock lives on a connection, and the database frees it if this process dies, or is stopped for more than ten seconds. f's context
// ends when the lock may be lost; then, once f has returned, whatever it returned, Exclusive waits for the job and runs f again. What f
// writes meanwhile is guarded by Fence.Check.
func (db *DB) Exclusive(ctx context.Context, name string, f func(ctx context.Context, fence *Fence) error) error {
	if InTransaction(ctx) {
		return fault.Internal(errors.New("Exclusive was called within a transaction"), "exclusive_in_transaction")
	}
	for {
		lost, err := db.exclusive(ctx, name, f)
		if !lost || ctx.Err() != nil {
			return err
		}
	}
}

// exclusive takes the job once, and reports whether its lock was lost.
func (db *DB) exclusive(ctx context.Context, name string, f func(ctx context.Context, fence *Fence) error) (lost bool, err error) {
	leave, err := db.jobs.enter(ctx, name)
	if err != nil {
		return false, err
	}
	defer leave()
	gone, err := db.peers.acquire(ctx, name)
	if err != nil {
		return false, err
	}
	defer db.peers.release(name)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	watched := make(chan struct{})
	defer close(watched)
	go func() {
		select {
		case <-gone:
			cancel(errLost)
		case <-watched:
		}
	}()
	fence, err := db.raise(ctx, name)
	if err == nil {
		err = f(ctx, fence)
	}
	return errors.Is(context.Cause(ctx), errLost), err
}

// raise records that the job was taken, which ends the claim of whoever had it before.
func (db *DB) raise(ctx context.Context, name string) (*Fence, error) {
	for {
		fence := &Fence{name: name}
		err := db.Write(ctx, func(_ context.Context, tx *Tx) error {
			delete(tx.writer.epochs(), name)
			return tx.QueryRow("INSERT INTO job (name, epoch) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET epoch = job.epoch + 1 RETURNING epoch",
				name).Scan(&fence.epoch)
		})
		if err == nil {
			return fence, nil
		}
		if kind := fault.KindOf(err); kind != fault.KindUnavailable && kind != fault.KindUnknown || errors.Is(err, errClosed) {
			return nil, err
		}
		select {
		case <-time.After(retryFence):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// Check fails with ErrFenced if another process has taken the job since; then the command must not go on. It costs one query for all the
// commands of a group.
func (f *Fence) Check(tx *Tx) error {
	if tx.writer == nil {
		return errEnded
	}
	epochs := tx.writer.epochs()
	epoch, known := epochs[f.name]
	if !known {
		if err := tx.QueryRow("SELECT epoch FROM job WHERE name = ?", f.name).Scan(&epoch); err != nil && !errors.Is(err, sql.ErrNoRows) {
			return err
		}
		epochs[f.name] = epoch
	}
	if epoch != f.epoch {
		return ErrFenced
	}
	return nil
}

// Owner returns the number of this process among those that have the schema open: random, of 31 bits, never 0, and alive as long as this
// database is open.
func (db *DB) Owner() int64 { return db.peers.owner() }

// Alive tells which of the owners still have the schema open. One that lost its connection counts as gone until it is back.
func (db *DB) Alive(ctx context.Context, owners []int64) (map[int64]bool, error) {
	return db.peers.alive(ctx, owners)
}

func newOwner() int64 { return 1 + rand.Int64N(1<<31-1) }

// jobs keeps two calls within this process apart, which the database's locks do not: they belong to the process.
type jobs struct {
	mu    sync.Mutex
	doors map[string]chan struct{}
}

func (j *jobs) enter(ctx context.Context, name string) (leave func(), err error) {
	j.mu.Lock()
	if j.doors == nil {
		j.doors = map[string]chan struct{}{}
	}
	door := j.doors[name]
	if door == nil {
		door = make(chan struct{}, 1)
		j.doors[name] = door
	}
	j.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	select {
	case door <- struct{}{}:
		return func() { <-door }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// alone is a process that has its schema for itself: the lock on the file is the lock of each job.
type alone struct{ number int64 }

func newAlone() *alone { return &alone{newOwner()} }

func (a *alone) acquire(context.Context, string) (<-chan struct{}, error) { return nil, nil }
func (a *alone) release(string)                                           {}
func (a *alone) owner() int64                                             { return a.number }
func (a *alone) close() error                                             { return nil }

func (a *alone) alive(_ context.Context, owners []int64) (map[int64]bool, error) {
	alive := map[int64]bool{}
	for _, owner := range owners {
		alive[owner] = owner == a.number
	}
	return alive, nil
}
