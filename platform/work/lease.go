package work

import (
	"context"

	"kerf/platform/database"
)

// A lease's token tells whose it is: the number of the process that has the schema
// open in its upper bits, and below it a number that the process gives once.
const ownerShift = 32

// token gives a lease that nobody has.
func (q *Queue) token() int64 {
	return q.db.Owner()<<ownerShift | q.tokens.Add(1)&(1<<ownerShift-1)
}

// freeLost frees the items whose lease has expired, or whose holder is no more. A
// holder that was taken for dead and goes on cannot record anything: its tokens are
// not those of the rows any more.
func (q *Queue) freeLost(ctx context.Context) error {
	now := q.now()
	owners, expired, err := q.holders(ctx, now)
	if err != nil {
		return err
	}
	if expired > 0 {
		q.log.Warn("leases of work expired", "count", expired)
		if err := q.free(ctx, `lease <> 0 AND lease_until <= ?`, now.wall); err != nil {
			return err
		}
	}
	alive, err := q.db.Alive(ctx, owners)
	if err != nil {
		return err
	}
	for _, owner := range owners {
		if alive[owner] {
			continue
		}
		q.log.Warn("a process ended with work in hand, others take it over", "owner", owner)
		if err := q.freeOf(ctx, owner); err != nil {
			return err
		}
	}
	return nil
}

// takeOver frees what was claimed by processes that are no more, or by this one when
// it last ran the queue.
func (q *Queue) takeOver(ctx context.Context) error {
	if err := q.freeOf(ctx, q.db.Owner()); err != nil {
		return err
	}
	return q.freeLost(ctx)
}

// holders returns the processes that hold leases, this one left out, and how many
// leases have expired.
func (q *Queue) holders(ctx context.Context, now instants) (owners []int64, expired int64, err error) {
	found, err := q.db.Query(ctx, `SELECT lease >> 32, count(*) FILTER (WHERE lease_until <= ?) FROM work WHERE lease <> 0
		GROUP BY lease >> 32`, now.wall)
	if err != nil {
		return nil, 0, err
	}
	defer found.Close()
	for found.Next() {
		var owner, n int64
		if err := found.Scan(&owner, &n); err != nil {
			return nil, 0, err
		}
		expired += n
		if owner != q.db.Owner() {
			owners = append(owners, owner)
		}
	}
	return owners, expired, found.Err()
}

// freeOf frees all that a process holds.
func (q *Queue) freeOf(ctx context.Context, owner int64) error {
	return q.free(ctx, `lease >= ? AND lease < ?`, owner<<ownerShift, (owner+1)<<ownerShift)
}

// free ends leases, and has the next pass look for what they held.
func (q *Queue) free(ctx context.Context, where string, args ...any) error {
	err := q.db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		return tx.ExecLater(`UPDATE work SET lease = 0, lease_until = 0 WHERE `+where, args...)
	})
	if err == nil {
		q.lookAgain()
	}
	return err
}
