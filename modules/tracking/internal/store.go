package internal

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"

	"google.golang.org/protobuf/proto"

	"kerf/modules/tracking/trackingapi"
	"kerf/platform/database"
	"kerf/platform/fault"
)

// Every event of an order takes this path: a read, a write, and a row for the streams. Most events leave what the indexes hold as it is.
const (
	// One row always, whatever there is of the order: the view that is served, that in the making, and what is served and made now.
	selectStand = `SELECT (SELECT document FROM order_view WHERE order_id = ? AND generation = s.generation),
		(SELECT document FROM order_view WHERE order_id = ? AND generation = s.making),
		s.generation, s.making, s.merging FROM showing s WHERE s.one = 1`
	selectView = `SELECT document FROM order_view WHERE order_id = ? AND generation = (SELECT generation FROM showing WHERE one = 1)`
	insertView = `INSERT INTO order_view (sequence, consumer_id, restaurant_id, status, placed_at, document, order_id, generation)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?)`
	updateView = `UPDATE order_view SET sequence = ?, consumer_id = ?, restaurant_id = ?, status = ?, placed_at = ?, document = ?
		WHERE order_id = ? AND generation = ?`
	updateStatus   = `UPDATE order_view SET sequence = ?, status = ?, document = ? WHERE order_id = ? AND generation = ?`
	updateDocument = `UPDATE order_view SET sequence = ?, document = ? WHERE order_id = ? AND generation = ?`
	// The first position of a log is the instant at which it begins, in microseconds: a log that was lost, and begun anew, goes on beyond
	// whatever a client has seen of it.
	insertChange = `INSERT INTO view_change (position, order_id, sequence, changed_at, document)
		VALUES (coalesce((SELECT position FROM view_change ORDER BY position DESC LIMIT 1), ?) + 1, ?, ?, ?, ?)`
)

// columns are what lists are made by, beside the document.
type columns struct {
	consumerID   string
	restaurantID string
	placedAt     int64
	status       string
}

func columnsOf(v *trackingapi.View) columns {
	c := columns{consumerID: v.GetConsumerId(), restaurantID: v.GetRestaurantId(), status: v.GetStatus()}
	switch {
	case v.GetOrder().GetPlacedAt() != nil:
		c.placedAt = database.Micros(v.GetOrder().GetPlacedAt().AsTime())
	case len(v.GetHistory()) > 0:
		c.placedAt = database.Micros(v.GetHistory()[0].GetTime().AsTime())
	}
	return c
}

// row is an order's view of one generation, with what its row holds so far.
type row struct {
	view       *trackingapi.View // empty, of sequence 0, if there is none yet
	stored     bool
	before     columns
	generation int64
}

func rowOf(document []byte, generation int64) (row, error) {
	if document == nil {
		return row{view: &trackingapi.View{}, generation: generation}, nil
	}
	v, err := decode(document)
	return row{v, true, columnsOf(v), generation}, err
}

// stand is what there is of an order.
type stand struct {
	shown   row
	making  row  // of generation 0 while none is in the making
	merging bool // the logs have been read into the generation in the making
}

// find returns what there is of an order.
func find(tx *database.Tx, orderID string) (*stand, error) {
	var shown, making []byte
	var generation, next, merging int64
	if err := tx.QueryRow(selectStand, orderID, orderID).Scan(&shown, &making, &generation, &next, &merging); err != nil {
		return nil, fmt.Errorf("read a view: %w", err)
	}
	s := &stand{merging: merging != 0}
	var err error
	if s.shown, err = rowOf(shown, generation); err != nil {
		return nil, err
	}
	if next != 0 {
		s.making, err = rowOf(making, next)
	}
	return s, err
}

// write writes a view down that has changed, and returns it as it is stored.
func (r *row) write(tx *database.Tx) ([]byte, error) {
	document, err := proto.Marshal(r.view)
	if err != nil {
		return nil, fmt.Errorf("write a view: %w", err)
	}
	v, now := r.view, columnsOf(r.view)
	switch {
	case !r.stored:
		err = tx.ExecLater(insertView, v.GetSequence(), now.consumerID, now.restaurantID, now.status, now.placedAt, document, v.GetOrderId(),
			r.generation)
	case now == r.before:
		err = tx.ExecLater(updateDocument, v.GetSequence(), document, v.GetOrderId(), r.generation)
	case now == columns{r.before.consumerID, r.before.restaurantID, r.before.placedAt, now.status}:
		err = tx.ExecLater(updateStatus, v.GetSequence(), now.status, document, v.GetOrderId(), r.generation)
	default:
		err = tx.ExecLater(updateView, v.GetSequence(), now.consumerID, now.restaurantID, now.status, now.placedAt, document, v.GetOrderId(),
			r.generation)
	}
	if err != nil {
		return nil, fmt.Errorf("write a view: %w", err)
	}
	return document, nil
}

// save writes the view down that is served, and its change.
func (s *Service) save(tx *database.Tx, shown *row) error {
	document, err := shown.write(tx)
	if err != nil {
		return err
	}
	v, now := shown.view, database.Micros(s.clock.Wall())
	if err := tx.ExecLater(insertChange, now, v.GetOrderId(), v.GetSequence(), now, document); err != nil {
		return fmt.Errorf("write a view's change: %w", err)
	}
	return nil
}

// read returns an order's view as last committed, or NotFound.
func read(ctx context.Context, db *database.DB, orderID string) (*trackingapi.View, error) {
	return scanView(db.QueryRow(ctx, selectView, orderID))
}

func scanView(row *sql.Row) (*trackingapi.View, error) {
	var document []byte
	err := row.Scan(&document)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, fault.NotFound("order")
	}
	if err != nil {
		return nil, fmt.Errorf("read a view: %w", err)
	}
	return decode(document)
}

func decode(document []byte) (*trackingapi.View, error) {
	v := &trackingapi.View{}
	if err := proto.Unmarshal(document, v); err != nil {
		return nil, fmt.Errorf("read a view: %w", err)
	}
	return v, nil
}

// filter says which views are listed; empty fields do not matter.
type filter struct {
	consumerID   string
	restaurantID string
	status       string
}

// place is where a page begins: after the view of that instant and order. The zero value is the beginning.
type place struct {
	placedAt int64 // microseconds
	orderID  string
}

// list returns up to limit views after a place, newest first.
func list(ctx context.Context, db *database.DB, f filter, after place, limit int) ([]*trackingapi.View, error) {
	if after == (place{}) {
		after.placedAt = math.MaxInt64
	}
	query := strings.Builder{}
	query.WriteString(`SELECT document FROM order_view WHERE generation = (SELECT generation FROM showing WHERE one = 1)
		AND (placed_at, order_id) < (?, ?)`)
	args := []any{after.placedAt, after.orderID}
	for _, c := range []struct{ condition, value string }{
		{" AND consumer_id = ?", f.consumerID}, {" AND restaurant_id = ?", f.restaurantID}, {" AND status = ?", f.status},
	} {
		if c.value != "" {
			query.WriteString(c.condition)
			args = append(args, c.value)
		}
	}
	query.WriteString(` ORDER BY placed_at DESC, order_id DESC LIMIT ?`)
	return readViews(ctx, db, query.String(), append(args, limit)...)
}

// newestOpen returns the views of the newest orders that have not ended, at most limit of them, the oldest first; and where the log of
// changes ended at that moment, as one statement sees it, 0 if there are no such views: they hold what the log does up to there, and no more.
func newestOpen(ctx context.Context, db *database.DB, limit int) (views []*trackingapi.View, end int64, err error) {
	rows, err := db.Query(ctx, `SELECT document, (`+selectLastPosition+`) FROM (SELECT placed_at, order_id, document FROM order_view
		WHERE generation = (SELECT generation FROM showing WHERE one = 1) AND status IN ('`+strings.Join(openStatuses, `', '`)+`') ORDER BY placed_at DESC, order_id DESC LIMIT ?) AS newest
		ORDER BY placed_at, order_id`, limit)
	if err != nil {
		return nil, 0, fmt.Errorf("list open views: %w", err)
	}
	defer func() { _ = rows.Close() }()
	for rows.Next() {
		var document []byte
		if err := rows.Scan(&document, &end); err != nil {
			return nil, 0, fmt.Errorf("list open views: %w", err)
		}
		v, err := decode(document)
		if err != nil {
			return nil, 0, err
		}
		views = append(views, v)
	}
	return views, end, rows.Err()
}

func readViews(ctx context.Context, db *database.DB, query string, args ...any) ([]*trackingapi.View, error) {
	rows, err := db.Query(ctx, query, args...)
	if err != nil {
		return nil, fmt.Errorf("list views: %w", err)
	}
	defer func() { _ = rows.Close() }()
	var views []*trackingapi.View
	for rows.Next() {
		var document []byte
		if err := rows.Scan(&document); err != nil {
			return nil, fmt.Errorf("list views: %w", err)
		}
		v, err := decode(document)
		if err != nil {
			return nil, err
		}
		views = append(views, v)
	}
	return views, rows.Err()
}
