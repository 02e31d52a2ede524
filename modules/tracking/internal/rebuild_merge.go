package internal

import (
	"context"
	"fmt"

	"kerf/platform/database"
)

// merge merges all orders, and then has the new views served.
func (r *rebuilder) merge(ctx context.Context) error {
	r.patience = r.clock.Wall().Add(patienceWithLogs)
	for {
		if err := r.readLogs(ctx); err != nil {
			return err
		}
		done, err := r.mergeSome(ctx)
		switch {
		case err != nil:
			return err
		case done:
			return r.swap(ctx)
		}
		pause(ctx, lookAgain)
	}
}

// mergeSome merges orders until there are none left, which it reports, or one comes whose two views do not know the same yet.
func (r *rebuilder) mergeSome(ctx context.Context) (done bool, err error) {
	for merged := mergePage; merged == mergePage && !done && err == nil; {
		err = r.write(ctx, func(tx *database.Tx) (err error) {
			merged, done, err = r.mergePage(tx)
			return err
		})
	}
	return done, err
}

// mergePage returns how many orders it merged, and whether there are no more.
func (r *rebuilder) mergePage(tx *database.Tx) (n int, done bool, err error) {
	now, err := readShowing(tx.QueryRow(selectShowing))
	if err != nil {
		return 0, false, err
	}
	under, err := scanRebuild(tx.QueryRow(selectRebuild))
	if err != nil {
		return 0, false, err
	}
	ids, stands, err := findUnmerged(tx, now, under.merged, mergePage)
	if err != nil {
		return 0, false, err
	}
	force := r.clock.Wall().After(r.patience)
	var sum merged
	changed := int64(0)
	last := under.merged
	for ; n < len(ids); n++ {
		id, s := ids[n], stands[n]
		came, ok := s.merge(force)
		if !ok {
			break
		}
		if _, err := s.making.write(tx); err != nil {
			return 0, false, err
		}
		if came.changed {
			changed++
			if err := tx.ExecLater(insertNews, id); err != nil {
				return 0, false, fmt.Errorf("note what a rebuild changed: %w", err)
			}
		}
		sum.kept += came.kept
		last = id
	}
	_, err = tx.Exec(addMerged, last, sum.kept, changed)
	return n, n == len(ids) && n < mergePage, err
}

// swap has the new views served.
func (r *rebuilder) swap(ctx context.Context) error {
	return r.write(ctx, func(tx *database.Tx) error {
		now, err := readShowing(tx.QueryRow(selectShowing))
		if err != nil {
			return err
		}
		for _, s := range []step{
			{newsOfOpen, []any{now.making, now.generation}}, {swap, nil}, {setSwapped, []any{database.Micros(r.clock.Wall())}},
		} {
			if _, err := tx.Exec(s.text, s.args...); err != nil {
				return fmt.Errorf("serve the new views: %w", err)
			}
		}
		return nil
	})
}

// announce has live streams told of the views that came out different. One that has changed again since has told them already.
func (r *rebuilder) announce(ctx context.Context) error {
	for left := true; left; {
		var told []string
		err := r.write(ctx, func(tx *database.Tx) (err error) {
			told, err = r.announceSome(tx)
			if len(told) > 0 || err != nil {
				return err
			}
			_, err = tx.Exec(setPhase, string(Clearing))
			return err
		})
		if err != nil {
			return err
		}
		left = len(told) > 0
	}
	return nil
}

func (r *rebuilder) announceSome(tx *database.Tx) ([]string, error) {
	ids, err := readNews(tx)
	if err != nil {
		return nil, err
	}
	for _, id := range ids {
		v, err := scanView(tx.QueryRow(selectView, id))
		if err != nil {
			return nil, err
		}
		if err := announceView(tx, v, r.clock.Wall()); err != nil {
			return nil, err
		}
		if err := tx.ExecLater(deleteNews, id); err != nil {
			return nil, fmt.Errorf("announce a view: %w", err)
		}
	}
	tx.AfterCommit(func() {
		for _, id := range ids {
			r.told(id)
		}
	})
	tx.Notify(topicViews)
	return ids, nil
}

func readNews(tx *database.Tx) ([]string, error) {
	rows, err := tx.Query(selectNews, mergePage)
	if err != nil {
		return nil, fmt.Errorf("read what a rebuild changed: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var ids []string
	for rows.Next() {
		var id string
		if err := rows.Scan(&id); err != nil {
			return nil, fmt.Errorf("read what a rebuild changed: %w", err)
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

// clear deletes the views that are served no more.
func (r *rebuilder) clear(ctx context.Context) error {
	for deleted := int64(1); deleted > 0; {
		err := r.write(ctx, func(tx *database.Tx) error {
			now, err := readShowing(tx.QueryRow(selectShowing))
			if err != nil {
				return err
			}
			result, err := tx.Exec(clearOld, now.generation, now.generation, mergePage)
			if err != nil {
				return fmt.Errorf("delete old views: %w", err)
			}
			deleted, err = result.RowsAffected()
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}
