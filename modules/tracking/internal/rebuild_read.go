package internal

import (
	"context"
	"fmt"
	"time"

	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/outbox"
	"kerf/platform/platformpb"
)

// anyOrders tells whether an order was ever placed.
func (r *rebuilder) anyOrders(ctx context.Context) (bool, error) {
	for partition := range outbox.Partitions {
		entries, err := r.read(ctx, Orders, partition, 0, 1)
		if err != nil || len(entries) > 0 {
			return len(entries) > 0, err
		}
	}
	return false, nil
}

func (r *rebuilder) read(ctx context.Context, source Source, partition int, after int64, limit int32) ([]*platformpb.LogEntry, error) {
	res, err := r.logs.of(source).ReadLog(ctx, &platformpb.ReadLogRequest{Partition: int32(partition), After: after, Limit: limit})
	if err != nil {
		return nil, fmt.Errorf("read the log of %s: %w", source, err)
	}
	return res.GetEntries(), nil
}

// readLogs takes up what each log has beyond what was read of it.
func (r *rebuilder) readLogs(ctx context.Context) error {
	cursors, err := readCursors(ctx, r.db)
	if err != nil {
		return err
	}
	for _, source := range sources {
		for partition, after := range cursors[source] {
			if err := r.readPartition(ctx, source, partition, after); err != nil {
				return err
			}
		}
	}
	return nil
}

func (r *rebuilder) readPartition(ctx context.Context, source Source, partition int, after int64) error {
	for {
		entries, err := r.read(ctx, source, partition, after, readPage)
		if err != nil || len(entries) == 0 {
			return err
		}
		page := r.pageOf(ctx, source, entries)
		err = r.write(ctx, func(tx *database.Tx) error {
			if err := page.fold(tx); err != nil {
				return err
			}
			return tx.ExecLater(upsertCursor, string(source), partition, page.last, len(entries), database.Micros(page.newest))
		})
		if err != nil {
			return fmt.Errorf("fold the log of %s: %w", source, err)
		}
		if after = page.last; len(entries) < readPage {
			return nil
		}
	}
}

// page is a part of a log.
type page struct {
	source     Source
	facts      []Fact
	orderIDs   []string // each once
	unreadable int64
	last       int64     // position
	newest     time.Time // instant of the last event
}

// pageOf reads a page's events. Types that say nothing here are passed over, and so is what cannot be read, which its listener has parked.
func (r *rebuilder) pageOf(ctx context.Context, source Source, entries []*platformpb.LogEntry) *page {
	end := entries[len(entries)-1]
	p := &page{source: source, last: end.GetPosition(), newest: end.GetTime().AsTime()}
	seen := map[string]bool{}
	for _, e := range entries {
		h, ok := r.facts[e.GetType()]
		if !ok {
			continue
		}
		f, err := h.fact(bus.Meta{Type: e.GetType(), Sequence: e.GetSequence(), Time: e.GetTime().AsTime()}, e.GetData())
		if err != nil {
			r.log.ErrorContext(ctx, "an event of a log is passed over", "source", source, "event", e.GetId(), "error", err)
			p.unreadable++
			continue
		}
		p.facts = append(p.facts, f)
		if !seen[f.OrderID] {
			seen[f.OrderID] = true
			p.orderIDs = append(p.orderIDs, f.OrderID)
		}
	}
	return p
}

// fold folds a page's facts into the views in the making.
func (p *page) fold(tx *database.Tx) error {
	now, err := readShowing(tx.QueryRow(selectShowing))
	if err != nil {
		return err
	}
	stands, err := findAll(tx, now, p.orderIDs)
	if err != nil {
		return err
	}
	kept := int64(0)
	changed := map[string]bool{}
	for _, f := range p.facts {
		s := stands[f.OrderID]
		if s.begunBefore(f) {
			Adopt(s.making.view, s.shown.view, f.Source)
			changed[f.OrderID] = true
			kept++
		}
		if s.wants(f) && Fold(s.making.view, f) {
			changed[f.OrderID] = true
		}
	}
	for _, id := range p.orderIDs {
		if !changed[id] {
			continue
		}
		if _, err := stands[id].making.write(tx); err != nil {
			return err
		}
	}
	if kept+p.unreadable == 0 {
		return nil
	}
	_, err = tx.Exec(addRead, kept, p.unreadable)
	return err
}

// wants tells whether a log's fact belongs into the view in the making. What was published after the logs were read to their end comes
// live, and changes both views then: streams are to see it happen.
func (s *stand) wants(f Fact) bool {
	return !s.merging || f.Sequence <= sequenceOf(s.shown.view, f.Source)
}

// begunBefore tells whether the log begins in the middle of what its module had to say about the order, of which the view that is served
// has heard.
func (s *stand) begunBefore(f Fact) bool {
	return f.Sequence > 1 && sequenceOf(s.making.view, f.Source) == 0 && sequenceOf(s.shown.view, f.Source) > 0
}
