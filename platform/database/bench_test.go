package database_test

import (
	"context"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"gorm.io/driver/sqlite"
	"gorm.io/gorm"
	"gorm.io/gorm/logger"
	"gorm.io/gorm/schema"

	"kerf/platform/database"
	"kerf/platform/database/databasetest"
)

// The aggregate that the benchmarks write: an order, its three lines and its event.
var benchSchema = []string{
	`CREATE TABLE bench_order (id TEXT NOT NULL PRIMARY KEY, consumer_id TEXT NOT NULL, restaurant_id TEXT NOT NULL, state TEXT NOT NULL,
	 total INTEGER NOT NULL, currency TEXT NOT NULL, placed_at INTEGER NOT NULL, version INTEGER NOT NULL) WITHOUT ROWID`,
	`CREATE TABLE bench_line (order_id TEXT NOT NULL, position INTEGER NOT NULL, item_id TEXT NOT NULL, name TEXT NOT NULL, quantity INTEGER NOT NULL,
	 price INTEGER NOT NULL, PRIMARY KEY (order_id, position)) WITHOUT ROWID`,
	`CREATE TABLE bench_event (id INTEGER PRIMARY KEY, type TEXT NOT NULL, subject TEXT NOT NULL, sequence INTEGER NOT NULL, at INTEGER NOT NULL,
	 payload BLOB NOT NULL, UNIQUE (subject, sequence))`,
}

type benchOrder struct {
	ID, ConsumerID, RestaurantID, State string
	Total                               int64
	Currency                            string
	PlacedAt, Version                   int64
}

type benchLine struct {
	OrderID         string
	Position        int
	ItemID, Name    string
	Quantity, Price int64
}

type benchEvent struct {
	ID            int64
	Type, Subject string
	Sequence, At  int64
	Payload       []byte
}

func benchAggregate(n int64) (benchOrder, []benchLine, benchEvent) {
	id := fmt.Sprintf("0193%08x-7000-8000-000000000000", n)
	order := benchOrder{id, "consumer-0193-7000-8000-0000000000", "restaurant-0193-7000-8000-00000000", "PENDING", 4200, "EUR", 1764000000000000 + n, 1}
	lines := make([]benchLine, 3)
	for i := range lines {
		lines[i] = benchLine{id, i, "item-0193-7000-8000-000000000000", "Margherita", 2, 700}
	}
	return order, lines, benchEvent{Type: "kerf.orders.OrderPlaced", Subject: id, Sequence: 1, At: order.PlacedAt, Payload: make([]byte, 180)}
}

// benchPrepared writes the aggregate as a module does on its hot path.
func benchPrepared(ctx context.Context, db *database.DB, n int64) error {
	order, lines, event := benchAggregate(n)
	return db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		if _, err := tx.Exec("INSERT INTO bench_order VALUES (?,?,?,?,?,?,?,?)", order.ID, order.ConsumerID, order.RestaurantID, order.State,
			order.Total, order.Currency, order.PlacedAt, order.Version); err != nil {
			return err
		}
		for _, l := range lines {
			if _, err := tx.Exec("INSERT INTO bench_line VALUES (?,?,?,?,?,?)", l.OrderID, l.Position, l.ItemID, l.Name, l.Quantity, l.Price); err != nil {
				return err
			}
		}
		_, err := tx.Exec("INSERT INTO bench_event (type,subject,sequence,at,payload) VALUES (?,?,?,?,?)", event.Type, event.Subject,
			event.Sequence, event.At, event.Payload)
		return err
	})
}

// benchGrouped writes it through GORM, within the group commit.
func benchGrouped(ctx context.Context, db *database.DB, n int64) error {
	return db.Write(ctx, func(_ context.Context, tx *database.Tx) error { return benchCreate(tx.Gorm(), n) })
}

func benchCreate(db *gorm.DB, n int64) error {
	order, lines, event := benchAggregate(n)
	for _, rows := range []any{&order, &lines, &event} {
		if err := db.Create(rows).Error; err != nil {
			return err
		}
	}
	return nil
}

// BenchmarkGroupCommit compares, in one run and with fsync on, the group commit with a GORM transaction per call on an identical
// database. It reports orders per second and their ratio, for 1, 16 and 64 callers.
func BenchmarkGroupCommit(b *testing.B) {
	for _, callers := range []int{1, 16, 64} {
		b.Run(fmt.Sprintf("callers=%d", callers), func(b *testing.B) {
			ctx := context.Background()
			kerf := databasetest.Open(b, "orders", benchSchema...)
			plain := openPlain(b)
			var next atomic.Int64
			writers := []struct {
				unit  string
				write func(n int64) error
				took  time.Duration
			}{
				{unit: "prepared/s", write: func(n int64) error { return benchPrepared(ctx, kerf, n) }},
				{unit: "gorm-grouped/s", write: func(n int64) error { return benchGrouped(ctx, kerf, n) }},
				{unit: "gorm-single/s", write: func(n int64) error {
					return plain.Transaction(func(tx *gorm.DB) error { return benchCreate(tx, n) })
				}},
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
			b.ReportMetric(writers[2].took.Seconds()/writers[0].took.Seconds(), "ratio")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// spread calls f n times from as many callers at once, and returns how long it took.
func spread(b *testing.B, callers, n int, f func() error) time.Duration {
	var left atomic.Int64
	left.Store(int64(n))
	started := time.Now()
	var wg sync.WaitGroup
	for range callers {
		wg.Go(func() {
			for left.Add(-1) >= 0 {
				if err := f(); err != nil {
					b.Error(err)
					return
				}
			}
		})
	}
	wg.Wait()
	return time.Since(started)
}

// openPlain opens the baseline: the same driver, schema and durability, and GORM as its manual sets it up.
func openPlain(b *testing.B) *gorm.DB {
	path := filepath.Join(b.TempDir(), "plain.db")
	db, err := gorm.Open(sqlite.Open("file:"+path+"?_journal_mode=WAL&_synchronous=FULL&_busy_timeout=5000&_foreign_keys=on&_txlock=immediate"),
		&gorm.Config{Logger: logger.Discard, NamingStrategy: schema.NamingStrategy{SingularTable: true}})
	if err != nil {
		b.Fatal(err)
	}
	pool, err := db.DB()
	if err != nil {
		b.Fatal(err)
	}
	pool.SetMaxOpenConns(1)
	b.Cleanup(func() { pool.Close() })
	for _, statement := range benchSchema {
		if err := db.Exec(statement).Error; err != nil {
			b.Fatal(err)
		}
	}
	return db
}
