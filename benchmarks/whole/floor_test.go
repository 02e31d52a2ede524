package whole

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/migrations"
	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/ids"
)

// floorEnv makes this test binary the floor's server, with its data in the folder that it names.
const floorEnv = "BENCH_FLOOR"

func TestMain(m *testing.M) {
	if dir := os.Getenv(floorEnv); dir != "" {
		fmt.Fprintln(os.Stderr, serveFloor(dir))
		os.Exit(1)
	}
	code := m.Run()
	if path, err := binary(); err == nil && os.Getenv("BENCH_BINARY") == "" {
		_ = os.RemoveAll(filepath.Dir(path))
	}
	os.Exit(code)
}

func startFloor(b *testing.B) *process {
	b.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), floorEnv+"="+b.TempDir())
	return start(b, cmd)
}

// floor answers the two requests that place an order by writing the rows that Kerf writes for them, and does nothing else: no caller, no
// rules, no other module, no metrics.
type floor struct{ db *database.DB }

// floorTables are as the modules have them, but an order's lines are rows; the platform's tables are there.
var floorTables = []string{
	`CREATE TABLE quote (id TEXT NOT NULL PRIMARY KEY, consumer_id TEXT NOT NULL, restaurant_id TEXT NOT NULL, data BLOB NOT NULL) WITHOUT ROWID`,
	`CREATE TABLE orders (id TEXT NOT NULL PRIMARY KEY, consumer_id TEXT NOT NULL, restaurant_id TEXT NOT NULL, quote_id TEXT NOT NULL UNIQUE,
		placed_at INTEGER NOT NULL, version INTEGER NOT NULL, state TEXT NOT NULL, total INTEGER NOT NULL, document TEXT NOT NULL) STRICT`,
	`CREATE INDEX orders_by_consumer ON orders (consumer_id, placed_at, id)`,
	`CREATE INDEX orders_by_restaurant ON orders (restaurant_id, placed_at, id)`,
	`CREATE INDEX orders_by_time ON orders (placed_at, id)`,
	`CREATE TABLE order_line (order_id TEXT NOT NULL, number INTEGER NOT NULL, item_id TEXT NOT NULL, quantity INTEGER NOT NULL,
		PRIMARY KEY (order_id, number)) WITHOUT ROWID`,
	`CREATE TABLE saga (id TEXT NOT NULL PRIMARY KEY, order_id TEXT NOT NULL, kind TEXT NOT NULL, step TEXT NOT NULL) WITHOUT ROWID`,
}

func serveFloor(dir string) error {
	ctx := context.Background()
	db, err := database.Open(ctx, "floor", database.Config{Dir: dir}, migrations.FS, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		return err
	}
	err = db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		return execAll(tx, floorTables...)
	})
	if err != nil {
		return err
	}
	f := &floor{db}
	e := echo.New()
	e.POST("/v1/quotes", f.quote)
	e.POST("/v1/orders", f.order)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	fmt.Printf("ready http://%s\n", listener.Addr())
	return http.Serve(listener, e)
}

func execAll(tx *database.Tx, statements ...string) error {
	for _, s := range statements {
		if _, err := tx.Exec(s); err != nil {
			return err
		}
	}
	return nil
}

type floorLine struct {
	ItemID   string `json:"item_id"`
	Quantity int    `json:"quantity"`
}

type floorQuote struct {
	ID           string      `json:"id"`
	RestaurantID string      `json:"restaurant_id"`
	Address      object      `json:"address"`
	Lines        []floorLine `json:"lines"`
}

type floorOrder struct {
	ID              string      `json:"id"`
	QuoteID         string      `json:"quote_id"`
	AddressID       string      `json:"address_id"`
	PaymentMethodID string      `json:"payment_method_id"`
	Lines           []floorLine `json:"lines"`
}

func (f *floor) quote(c echo.Context) error {
	var q floorQuote
	if err := json.NewDecoder(c.Request().Body).Decode(&q); err != nil {
		return err
	}
	q.ID = ids.New()
	return f.answer(c, q, func(tx *database.Tx, body []byte) error {
		_, err := tx.Exec(`INSERT INTO quote (id, consumer_id, restaurant_id, data) VALUES (?, ?, ?, ?)`, q.ID, "consumer", q.RestaurantID, body)
		return err
	})
}

func (f *floor) order(c echo.Context) error {
	var o floorOrder
	if err := json.NewDecoder(c.Request().Body).Decode(&o); err != nil {
		return err
	}
	o.ID = ids.New()
	o.Lines = []floorLine{{"pizza", 2}, {"salad", 1}, {"water", 3}}
	return f.answer(c, o, func(tx *database.Tx, body []byte) error {
		now := time.Now().UnixMicro()
		if _, err := tx.Exec(`INSERT INTO orders VALUES (?, ?, ?, ?, ?, 1, 'PENDING', 4000, ?)`,
			o.ID, "consumer", "restaurant", o.QuoteID, now, string(body)); err != nil {
			return err
		}
		for i, l := range o.Lines {
			if _, err := tx.Exec(`INSERT INTO order_line VALUES (?, ?, ?, ?)`, o.ID, i, l.ItemID, l.Quantity); err != nil {
				return err
			}
		}
		if _, err := tx.Exec(`INSERT INTO saga VALUES (?, ?, 'place', 'create_ticket')`, ids.New(), o.ID); err != nil {
			return err
		}
		if _, err := tx.Exec(`INSERT INTO outbox_subject (subject, sequence) VALUES (?, 1)`, o.ID); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO outbox (event_id, type, schema_version, subject, key, sequence, time, correlation_id, causation_id,
			trace_parent, data, partition) VALUES (?, 'kerf.orders.OrderPlaced', 1, ?, ?, 1, ?, ?, ?, '', ?, ?)`,
			ids.New(), o.ID, o.ID, now, o.ID, o.ID, body[:min(len(body), 250)], bus.Partition(o.ID, 16))
		return err
	})
}

// answer writes rows with the answer to the request's key in one transaction, and sends the answer when they are durable.
func (f *floor) answer(c echo.Context, body any, write func(tx *database.Tx, body []byte) error) error {
	data, err := json.Marshal(body)
	if err != nil {
		return err
	}
	key := sha256.Sum256([]byte(c.Request().Header.Get("Idempotency-Key")))
	err = f.db.Write(c.Request().Context(), func(_ context.Context, tx *database.Tx) error {
		if err := write(tx, data); err != nil {
			return err
		}
		_, err := tx.Exec(`INSERT INTO idempotency (request, fingerprint, status, location, version, body, created_at)
			VALUES (?, ?, 201, '', 1, ?, ?)`, key[:], key[:], data, time.Now().UnixMicro())
		return err
	})
	if err != nil {
		return err
	}
	return c.JSONBlob(http.StatusCreated, data)
}
