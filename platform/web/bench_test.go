package web_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/labstack/echo/v4"
	"github.com/prometheus/client_golang/prometheus"

	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/identity"
	"kerf/platform/web"
)

// discard is an answer that nobody reads.
type discard struct{ header http.Header }

func (d discard) Header() http.Header         { return d.header }
func (d discard) Write(b []byte) (int, error) { return len(b), nil }
func (d discard) WriteHeader(int)             {}

// BenchmarkEdge measures what this package adds to a bare echo handler: the difference of the two, with log, metrics, a deadline and a
// token that was seen before.
func BenchmarkEdge(b *testing.B) {
	handler := func(c echo.Context) error { return c.JSON(http.StatusOK, map[string]string{"id": c.Param("id")}) }
	bare := echo.New()
	bare.GET("/v1/orders/:id", handler)

	keys, err := identity.OpenKeys(b.TempDir(), identity.KeysConfig{})
	if err != nil {
		b.Fatal(err)
	}
	token, err := identity.NewIssuer(keys, identity.TokenConfig{}).Issue(identity.TokenRequest{Roles: []identity.Role{identity.RoleConsumer}})
	if err != nil {
		b.Fatal(err)
	}
	whole := web.New(web.Config{
		Verifier: identity.NewVerifier(keys, identity.TokenConfig{}),
		Log:      slog.New(slog.NewJSONHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelDebug})), Registry: prometheus.NewRegistry(),
	})
	whole.Echo.GET("/v1/orders/:id", handler)

	for name, h := range map[string]http.Handler{"bare": bare, "whole": whole} {
		b.Run(name, func(b *testing.B) {
			r := httptest.NewRequest("GET", "/v1/orders/7", nil)
			r.Header.Set("Authorization", "Bearer "+token.Token)
			w := discard{http.Header{}}
			b.ReportAllocs()
			for b.Loop() {
				h.ServeHTTP(w, r)
				clear(w.header)
			}
		})
	}
}

// BenchmarkOnce measures a command that writes a row against the same command without Once; each commits, with fsync.
func BenchmarkOnce(b *testing.B) {
	db := databasetest.Open(b, "bench", `CREATE TABLE thing (id INTEGER PRIMARY KEY, name TEXT)`)
	write := func(tx *database.Tx) error {
		_, err := tx.Exec(`INSERT INTO thing (name) VALUES ('a')`)
		return err
	}
	s := web.New(web.Config{Verifier: callers{}})
	answer := web.Answer{Status: http.StatusCreated, Location: "/things/1", ETag: 1, Body: map[string]string{"id": "1"}}
	s.Echo.POST("/once", func(c echo.Context) error {
		return web.Once(c, db, func(_ context.Context, commit web.Commit) error {
			return commit(func(_ context.Context, tx *database.Tx) (web.Answer, error) { return answer, write(tx) })
		})
	})
	s.Echo.POST("/bare", func(c echo.Context) error {
		if err := db.Write(c.Request().Context(), func(_ context.Context, tx *database.Tx) error { return write(tx) }); err != nil {
			return err
		}
		return c.JSON(answer.Status, answer.Body)
	})
	post := func(path, key string) *http.Request {
		r := httptest.NewRequest("POST", path, strings.NewReader(`{"name":"a"}`))
		r.Header.Set("Authorization", "Bearer ann")
		r.Header.Set("Idempotency-Key", key)
		return r
	}
	for _, row := range []struct {
		name, path string
		key        func(i int) string
	}{
		{"bare", "/bare", func(int) string { return "k" }},
		{"new", "/once", func(i int) string { return fmt.Sprint("k", i) }},
		{"replay", "/once", func(int) string { return "k0" }},
	} {
		b.Run(row.name, func(b *testing.B) {
			b.ReportAllocs()
			for i := 0; b.Loop(); i++ {
				s.ServeHTTP(discard{http.Header{}}, post(row.path, row.key(i)))
			}
		})
	}
}
