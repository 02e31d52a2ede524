package database_test

import (
	"context"
	"database/sql"
	"fmt"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	_ "github.com/jackc/pgx/v5/stdlib"

	"kerf/migrations"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
)

// The same aggregate as the benchmarks of SQLite write, in the words of both.
const (
	benchInsertOrder = "INSERT INTO bench_order VALUES (?,?,?,?,?,?,?,?)"
	benchInsertLine  = "INSERT INTO bench_line VALUES (?,?,?,?,?,?)"
	benchInsertEvent = "INSERT INTO bench_event (type,subject,sequence,at,payload) VALUES (?,?,?,?,?)"
)

// benchLater writes the aggregate with statements that nobody waits for.
func benchLater(ctx context.Context, db *database.DB, n int64) error {
	order, lines, event := benchAggregate(n)
	return db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		if err := tx.ExecLater(benchInsertOrder, order.ID, order.ConsumerID, order.RestaurantID, order.State,
			order.Total, order.Currency, order.PlacedAt, order.Version); err != nil {
			return err
		}
		for _, l := range lines {
			if err := tx.ExecLater(benchInsertLine, l.OrderID, l.Position, l.ItemID, l.Name, l.Quantity, l.Price); err != nil {
				return err
			}
		}
		return tx.ExecLater(benchInsertEvent, event.Type, event.Subject, event.Sequence, event.At, event.Payload)
	})
}

// benchSingle writes it in a transaction of its own, on a connection of its own.
func benchSingle(ctx context.Context, pool *sql.DB, n int64) error {
	order, lines, event := benchAggregate(n)
	tx, err := pool.BeginTx(ctx, nil)
	if err != nil {
		return err
	}
	defer func() { _ = tx.Rollback() }()
	if _, err := tx.ExecContext(ctx, "INSERT INTO bench_order VALUES ($1,$2,$3,$4,$5,$6,$7,$8)", order.ID, order.ConsumerID, order.RestaurantID, order.State,
		order.Total, order.Currency, order.PlacedAt, order.Version); err != nil {
		return err
	}
	for _, l := range lines {
		if _, err := tx.ExecContext(ctx, "INSERT INTO bench_line VALUES ($1,$2,$3,$4,$5,$6)", l.OrderID, l.Position, l.ItemID, l.Name, l.Quantity, l.Price); err != nil {
			return err
		}
	}
	if _, err := tx.ExecContext(ctx, "INSERT INTO bench_event (type,subject,sequence,at,payload) VALUES ($1,$2,$3,$4,$5)", event.Type, event.Subject,
		event.Sequence, event.At, event.Payload); err != nil {
		return err
	}
	return tx.Commit()
}

// BenchmarkGroupCommitPostgres compares, in one run and with fsync on, the group commit on PostgreSQL, by one process and by two that share
// the schema, with a transaction per call on as many connections as there are callers. Only the group commit is serial.
func BenchmarkGroupCommitPostgres(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			ctx := context.Background()
			cfg := databasetest.Postgres(b, b.TempDir(), "orders")
			replicas := make([]*database.DB, 2)
			for i := range replicas {
				db, err := database.Open(ctx, "orders", cfg, migrations.FS, slog.New(slog.DiscardHandler), nil)
				if err != nil {
					b.Fatal(err)
				}
				defer db.Close()
				replicas[i] = db
			}
			for _, statement := range databasetest.Dialect(cfg, benchSchema) {
				write(b, replicas[0], func(_ context.Context, tx *database.Tx) error { _, err := tx.Exec(statement); return err })
			}
			plain, err := sql.Open("pgx", cfg.DSN)
			if err != nil {
				b.Fatal(err)
			}
			defer plain.Close()
			plain.SetMaxOpenConns(callers)
			plain.SetMaxIdleConns(callers)
			var next atomic.Int64
			writers := []struct {
				unit  string
				write func(n int64) error
				took  time.Duration
			}{
				{unit: "prepared/s", write: func(n int64) error { return benchPrepared(ctx, replicas[0], n) }},
				{unit: "later/s", write: func(n int64) error { return benchLater(ctx, replicas[0], n) }},
				{unit: "later-2-replicas/s", write: func(n int64) error { return benchLater(ctx, replicas[n%2], n) }},
				{unit: "single/s", write: func(n int64) error { return benchSingle(ctx, plain, n) }},
			}
			const rounds = 4 // Taken in turns, so that a slow moment of the machine hits all alike.
			perRound := max(b.N/rounds, callers)
			b.ResetTimer()
			for range rounds {
				for i := range writers {
					w := &writers[i]
					w.took += spread(b, callers, perRound, func() error { return w.write(next.Add(1)) })
				}
			}
			for _, w := range writers {
				b.ReportMetric(float64(rounds*perRound)/w.took.Seconds(), w.unit)
			}
			b.ReportMetric(0, "ns/op")
		})
	}
}
