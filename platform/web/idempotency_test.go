package web_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/labstack/echo/v4"

	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
	"kerf/platform/web"
)

// shop is a module with one command, POST /things/:id, which inserts a row; a test steers how it ends.
type shop struct {
	*edge
	db *database.DB
	// before runs in act, before the commit.
	before func(ctx context.Context) error
	// within runs in the transaction, after the row was written.
	within func() error
	runs   atomic.Int64 // of the transaction
	wall   atomic.Int64 // microseconds
}

type thing struct {
	ID   string `json:"id"`
	Name string `json:"name"`
}

const thingTable = `CREATE TABLE thing (id TEXT, name TEXT)`

func newShop(t testing.TB) *shop { return newShopOn(t, databasetest.Open(t, "shop", thingTable)) }

func newShopOn(t testing.TB, db *database.DB) *shop {
	s := &shop{db: db, before: func(context.Context) error { return nil }, within: func() error { return nil }}
	s.wall.Store(database.Micros(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)))
	s.edge = newEdge(t, web.Config{Wall: func() time.Time { return database.Time(s.wall.Load()) }}, func(e *echo.Echo) {
		e.POST("/things/:id", s.put)
		e.PATCH("/things/:id", s.put)
	})
	return s
}

func (s *shop) put(c echo.Context) error {
	r := thing{ID: c.Param("id")}
	if err := web.Bind(c, &r); err != nil {
		return err
	}
	return web.Once(c, s.db, func(ctx context.Context, commit web.Commit) error {
		if database.InTransaction(ctx) {
			return errors.New("called in a transaction")
		}
		if err := s.before(ctx); err != nil {
			return err
		}
		return commit(func(_ context.Context, tx *database.Tx) (web.Answer, error) {
			s.runs.Add(1)
			if _, err := tx.Exec(`INSERT INTO thing (id, name) VALUES (?, ?)`, r.ID, r.Name); err != nil {
				return web.Answer{}, err
			}
			if err := s.within(); err != nil {
				return web.Answer{}, err
			}
			return web.Answer{Status: http.StatusCreated, Location: "/things/" + r.ID, ETag: 1, Body: r}, nil
		})
	})
}

func (s *shop) rows() int { return s.count(`SELECT count(*) FROM thing`) }

func (s *shop) answers() int { return s.count(`SELECT count(*) FROM idempotency`) }

func (s *shop) count(query string) (n int) {
	s.t.Helper()
	if err := s.db.QueryRow(context.Background(), query).Scan(&n); err != nil {
		s.t.Fatal(err)
	}
	return n
}

const body = `{"name":"a"}`

func (s *shop) post(path, body, caller, key string) reply {
	s.t.Helper()
	return s.do("POST", path, body, "Authorization", "Bearer "+caller, "Idempotency-Key", key)
}

func replayed(r reply) bool { return r.header.Get("Idempotency-Replayed") == "true" }

func same(t *testing.T, first, second reply) {
	t.Helper()
	if first.status != second.status || first.body != second.body {
		t.Errorf("first %d %s, then %d %s", first.status, first.body, second.status, second.body)
	}
	for _, name := range []string{"Location", "Etag", "Content-Type", "Cache-Control", "Content-Length"} {
		if first.header.Get(name) != second.header.Get(name) {
			t.Errorf("%s: first %q, then %q", name, first.header.Get(name), second.header.Get(name))
		}
	}
}

func TestARepeatGetsTheFirstAnswer(t *testing.T) {
	s := newShop(t)
	first := s.post("/things/1", body, "ann", "k1")
	if first.status != 201 || first.body != `{"id":"1","name":"a"}` || first.header.Get("Location") != "/things/1" ||
		first.header.Get("Etag") != `"1"` || replayed(first) {
		t.Fatalf("%d %v %s", first.status, first.header, first.body)
	}
	for range 3 {
		second := s.post("/things/1", body, "ann", "k1")
		same(t, first, second)
		if !replayed(second) {
			t.Error("a replay does not say so")
		}
	}
	if s.runs.Load() != 1 || s.rows() != 1 {
		t.Errorf("executed %d times, %d rows", s.runs.Load(), s.rows())
	}
}

func TestAKeyBelongsToOneRequestOfOneCaller(t *testing.T) {
	s := newShop(t)
	s.post("/things/1", body, "ann", "k1")
	for name, r := range map[string]reply{
		"another body":   s.post("/things/1", `{"name":"b"}`, "ann", "k1"),
		"another target": s.post("/things/2", body, "ann", "k1"),
		"another query":  s.post("/things/1?x=1", body, "ann", "k1"),
	} {
		if r.status != 422 || r.problem(t).Code != "idempotency_key_reused" || replayed(r) {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if s.rows() != 1 {
		t.Fatalf("%d rows", s.rows())
	}
	for name, r := range map[string]reply{
		"another caller": s.post("/things/1", `{"name":"c"}`, "bob", "k1"),
		"another key":    s.post("/things/1", body, "ann", "k2"),
		"another method": s.do("PATCH", "/things/1", body, "Authorization", "Bearer ann", "Idempotency-Key", "k1"),
	} {
		if r.status != 201 || replayed(r) {
			t.Errorf("%s: %d %s", name, r.status, r.body)
		}
	}
	if s.rows() != 4 {
		t.Errorf("%d rows", s.rows())
	}
}

func TestACommandNeedsACallerAndAKey(t *testing.T) {
	s := newShop(t)
	if r := s.do("POST", "/things/1", body, "Idempotency-Key", "k"); r.status != 401 {
		t.Errorf("nobody: %d", r.status)
	}
	for _, key := range []string{"", "two words", strings.Repeat("k", 256), "ä"} {
		if r := s.post("/things/1", body, "ann", key); r.status != 400 || r.problem(t).Code != "idempotency_key" {
			t.Errorf("key %.20q: %d %s", key, r.status, r.body)
		}
	}
	if s.runs.Load() != 0 || s.answers() != 0 {
		t.Error("something was executed")
	}
}

// Every way in which a command can fail, in act and in the transaction: what a rule refused is stored, and after everything else the
// command is executed again. Nothing of a failed command stays.
func TestRefusalsAreStoredAndFailuresAreNot(t *testing.T) {
	for _, row := range []struct {
		err    error
		status int
		stored bool
	}{
		{fault.Refused("quote_expired", "too late"), 422, true},
		{fmt.Errorf("wrapped: %w", fault.Refused("closed", "closed")), 422, true},
		{fault.Invalid(fault.Violation{Field: "name", Description: "is taken"}), 400, false},
		{fault.NotFound("thing"), 404, false},
		{fault.Forbidden("not_yours", "no"), 403, false},
		{fault.Unauthenticated("who"), 401, false},
		{fault.Stale("it has version 3"), 412, false},
		{fault.Exhausted(time.Second, "too_many", "slow down"), 429, false},
		{fault.Conflict(time.Second, "busy", "busy"), 409, false},
		{fault.Unavailable(time.Second, "down", "down"), 503, false},
		{fault.Unknown(time.Second, "unknown", "unknown"), 504, false},
		{context.DeadlineExceeded, 504, false},
		{errors.New("plain"), 500, false},
	} {
		for _, where := range []string{"act", "transaction"} {
			t.Run(fmt.Sprintf("%s/%d", where, row.status), func(t *testing.T) {
				s := newShop(t)
				if where == "act" {
					s.before = func(context.Context) error { return row.err }
				} else {
					s.within = func() error { return row.err }
				}
				first := s.post("/things/1", body, "ann", "k")
				if first.status != row.status || replayed(first) || s.rows() != 0 {
					t.Fatalf("%d %s, %d rows", first.status, first.body, s.rows())
				}
				code := first.problem(t).Code
				s.before, s.within = func(context.Context) error { return nil }, func() error { return nil }
				second := s.post("/things/1", body, "ann", "k")
				if !row.stored {
					if second.status != 201 || s.rows() != 1 {
						t.Errorf("was not executed again: %d %s", second.status, second.body)
					}
					return
				}
				same(t, first, second)
				if !replayed(second) || s.rows() != 0 || !strings.Contains(second.body, code) {
					t.Errorf("%d %s, %d rows", second.status, second.body, s.rows())
				}
			})
		}
	}
}

// What a caller sent may come back in a refusal, and would be stored with it.
func TestAStoredRefusalIsShort(t *testing.T) {
	s := newShop(t)
	s.before = func(context.Context) error {
		f := fault.Refused("unknown_item", "there is no item %s", strings.Repeat("ä", 1<<16))
		for range 100 {
			f.Violations = append(f.Violations, fault.Violation{Field: "items", Description: "is unknown"})
		}
		return f
	}
	first := s.post("/things/"+strings.Repeat("x", 1000), body, "ann", "k")
	if p := first.problem(t); first.status != 422 || len(first.body) > 4<<10 || len(p.Violations) != 20 || !strings.HasSuffix(p.Detail, "; 80 more violations are not shown") {
		t.Errorf("%d bytes: %s", len(first.body), first.body)
	}
	same(t, first, s.post("/things/"+strings.Repeat("x", 1000), body, "ann", "k"))
	if n := s.count(`SELECT length(body) FROM idempotency`); n != len(first.body) {
		t.Errorf("%d bytes are stored", n)
	}
}

func TestAPanicInACommandStoresNothing(t *testing.T) {
	s := newShop(t)
	s.within = func() error { panic("boom") }
	if r := s.post("/things/1", body, "ann", "k"); r.status != 500 || s.answers() != 0 {
		t.Fatalf("%d, %d answers", r.status, s.answers())
	}
	s.within = func() error { return nil }
	if r := s.post("/things/1", body, "ann", "k"); r.status != 201 || s.rows() != 1 {
		t.Errorf("%d, %d rows", r.status, s.rows())
	}
}

func TestOneKeyAtOnceIsExecutedOnce(t *testing.T) {
	s := newShop(t)
	const requests = 32
	entered, release := make(chan struct{}, 1), make(chan struct{})
	s.before = func(context.Context) error {
		entered <- struct{}{}
		<-release
		return nil
	}
	var wg sync.WaitGroup
	replies := make([]reply, requests)
	wg.Go(func() { replies[0] = s.post("/things/1", body, "ann", "k") })
	<-entered
	for i := 1; i < requests; i++ {
		wg.Go(func() {
			replies[i], _ = s.try("POST", "/things/1", body, "Authorization", "Bearer ann", "Idempotency-Key", "k")
		})
	}
	if r := s.post("/things/1", body, "ann", "k"); r.status != 409 || r.problem(t).Code != "in_flight" || r.header.Get("Retry-After") != "1" {
		t.Errorf("in flight: %d %v %s", r.status, r.header, r.body)
	}
	close(release)
	wg.Wait()
	for i, r := range replies {
		if r.status == 409 && i > 0 {
			continue
		}
		if r.status != 201 || r.body != replies[0].body || replayed(r) != (i > 0) {
			t.Errorf("%d: %d %s", i, r.status, r.body)
		}
	}
	if s.runs.Load() != 1 || s.rows() != 1 {
		t.Errorf("executed %d times, %d rows", s.runs.Load(), s.rows())
	}
}

func TestManyKeysAtOnceAreExecutedOnceEach(t *testing.T) {
	s := newShop(t)
	const keys, clients = 20, 8
	var wg sync.WaitGroup
	for client := range clients {
		wg.Go(func() {
			for i := range keys {
				key := fmt.Sprintf("k%d", (i*7+client)%keys)
				for {
					r, err := s.try("POST", "/things/"+key, body, "Authorization", "Bearer ann", "Idempotency-Key", key)
					if err != nil || r.status != 409 && r.status != 201 {
						t.Errorf("%s: %d %s %v", key, r.status, r.body, err)
					}
					if r.status != 409 {
						break
					}
				}
			}
		})
	}
	wg.Wait()
	if s.rows() != keys || s.answers() != keys {
		t.Errorf("%d rows, %d answers for %d keys", s.rows(), s.answers(), keys)
	}
}

// Two servers on one database stand for two replicas: neither knows what the other has in flight.
func TestAnAnswerStoredByAnotherReplicaMeanwhileWins(t *testing.T) {
	s := newShop(t)
	other := web.New(web.Config{Verifier: callers{}})
	other.Echo.POST("/things/:id", s.put)
	atReplica := func(body string) *httptest.ResponseRecorder {
		r := httptest.NewRequest("POST", "/things/1", strings.NewReader(body))
		r.Header.Set("Content-Type", "application/json")
		r.Header.Set("Authorization", "Bearer ann")
		r.Header.Set("Idempotency-Key", "k")
		w := httptest.NewRecorder()
		other.ServeHTTP(w, r)
		return w
	}
	nothing := func(context.Context) error { return nil }
	s.before = func(context.Context) error {
		s.before = nothing
		if w := atReplica(body); w.Code != 201 {
			t.Errorf("the other replica: %d %s", w.Code, w.Body)
		}
		return nil
	}
	if r := s.post("/things/1", body, "ann", "k"); r.status != 201 || !replayed(r) {
		t.Errorf("%d %s, replayed %v", r.status, r.body, replayed(r))
	}
	if s.runs.Load() != 1 || s.rows() != 1 {
		t.Errorf("executed %d times, %d rows", s.runs.Load(), s.rows())
	}
	// A refusal that comes from outside the transaction does not win over a success that is stored either.
	s.before = func(context.Context) error { return fault.Refused("quote_expired", "too late") }
	if r := s.post("/things/1", body, "ann", "k"); r.status != 201 || !replayed(r) {
		t.Errorf("%d %s", r.status, r.body)
	}
}

// The answer lies in the transaction of the command: the state and the answer are there together or not at all.
func TestAnAnswerIsNeverStoredWithoutItsEffect(t *testing.T) {
	s := newShop(t)
	err := s.db.Write(context.Background(), func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec(`ALTER TABLE idempotency RENAME COLUMN created_at TO elsewhere`) // what is read stays as it is
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := s.post("/things/1", body, "ann", "k"); r.status < 500 || s.rows() != 0 {
		t.Errorf("%d, and %d rows though the answer could not be stored", r.status, s.rows())
	}
}

// Each of two replicas is asked at the same time, and neither knows what the other is executing.
func TestReplicasGiveOneAnswer(t *testing.T) {
	a, b := databasetest.OpenTwo(t, "shop", thingTable)
	replicas := []*shop{newShopOn(t, a), newShopOn(t, b)}
	for i := range 20 {
		key := fmt.Sprint("k", i)
		var replies [2]reply
		var both sync.WaitGroup
		for r, s := range replicas {
			both.Go(func() { replies[r] = s.post("/things/"+key, body, "ann", key) })
		}
		both.Wait()
		same(t, replies[0], replies[1])
		if replies[0].status != 201 || replayed(replies[0]) == replayed(replies[1]) {
			t.Errorf("%s: %d, replayed %v and %v", key, replies[0].status, replayed(replies[0]), replayed(replies[1]))
		}
	}
	if n := replicas[0].rows(); n != 20 {
		t.Errorf("20 requests made %d things", n)
	}
}

func TestASlipInAHandlerIsAnInternalError(t *testing.T) {
	db := databasetest.Open(t, "slips")
	ok := func(context.Context, *database.Tx) (web.Answer, error) { return web.Answer{Status: 204}, nil }
	e := newEdge(t, web.Config{}, func(e *echo.Echo) {
		route := func(path string, act func(commit web.Commit) error) {
			e.POST(path, func(c echo.Context) error {
				return web.Once(c, db, func(_ context.Context, commit web.Commit) error { return act(commit) })
			})
		}
		route("/never", func(web.Commit) error { return nil })
		route("/twice", func(commit web.Commit) error { return errors.Join(commit(ok), commit(ok)) })
		route("/status", func(commit web.Commit) error {
			return commit(func(context.Context, *database.Tx) (web.Answer, error) { return web.Answer{Status: 301}, nil })
		})
		route("/empty", func(commit web.Commit) error { return commit(ok) })
	})
	for path, status := range map[string]int{"/never": 500, "/status": 500, "/empty": 204, "/twice": 204} {
		r := e.do("POST", path, "", "Authorization", "Bearer ann", "Idempotency-Key", "k")
		if r.status != status {
			t.Errorf("%s = %d %s", path, r.status, r.body)
		}
	}
}

func TestAnswersAreKeptForADay(t *testing.T) {
	s := newShop(t)
	start := database.Time(s.wall.Load())
	for i := range 3 {
		s.wall.Store(database.Micros(start.Add(time.Duration(i) * time.Hour)))
		s.post("/things/1", body, "ann", fmt.Sprintf("k%d", i))
	}
	now := start.Add(web.Kept + 90*time.Minute)
	if n, err := web.Prune(context.Background(), s.db, now); n != 2 || err != nil || s.answers() != 1 {
		t.Fatalf("pruned %d, %v; %d left", n, err, s.answers())
	}
	if r := s.post("/things/1", body, "ann", "k2"); !replayed(r) {
		t.Error("a young answer is gone")
	}
	if r := s.post("/things/1", body, "ann", "k0"); replayed(r) || r.status != 201 {
		t.Error("an old answer is still there")
	}
}

func TestPruningTakesManyRowsInSmallTransactions(t *testing.T) {
	s := newShop(t)
	err := s.db.Write(context.Background(), func(_ context.Context, tx *database.Tx) error {
		for i := range 2600 {
			err := tx.ExecLater(`INSERT INTO idempotency (request, fingerprint, status, location, version, body, created_at)
				VALUES (?, ?, 200, '', 0, ?, ?)`, fmt.Append(nil, i), []byte{}, []byte{}, i+1)
			if err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if n, err := web.Prune(context.Background(), s.db, database.Time(2501).Add(web.Kept)); n != 2500 || err != nil || s.answers() != 100 {
		t.Errorf("pruned %d, %v; %d left", n, err, s.answers())
	}
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := web.Prune(ended, s.db, time.Now()); err == nil {
		t.Error("pruning goes on without anybody waiting")
	}
}
