package database_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"kerf/platform/database"
	"kerf/platform/fault"
)

// raise has the server fail a statement with a code that is hard to come by.
func raise(code string) work {
	return func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec("DO $$ BEGIN RAISE EXCEPTION 'as the test wants it' USING ERRCODE = '" + code + "'; END $$")
		return err
	}
}

func TestFailuresOfTheServerAreFaultsOfTheCommandThatMeetsThem(t *testing.T) {
	s := newServer(t)
	db := s.open(s.cfg, things)
	for code, want := range map[string]string{"53100": "database_full", "58030": "database_unavailable", "57014": "database_unavailable"} {
		errs := together(t, db, insert("a"+code), func(ctx context.Context, tx *database.Tx) error {
			_ = raise(code)(ctx, tx) // Even a command that does not look cannot get away with it.
			return nil
		}, insert("b"+code))
		if errs[0] != nil || errs[2] != nil {
			t.Errorf("the others failed: %v, %v", errs[0], errs[2])
		}
		wantFault(t, errs[1], fault.KindUnavailable, want)
	}
	wantIDs(t, db, "a53100", "a57014", "a58030", "b53100", "b57014", "b58030")
}

// Without this a caller that had gone, which asks nobody any more, would be told of an internal error.
func TestAFailureThatTheCallerDidNotWaitForIsTheEndOfItsContext(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	starting := &pgconn.PgError{SeverityUnlocalized: "FATAL", Code: "57P03", Message: "the database system is starting up"}
	wantFault(t, database.TranslateFor(ctx, "things", starting), fault.KindUnavailable, "database_unavailable")
	cancel()
	if err := database.TranslateFor(ctx, "things", starting); !errors.Is(err, context.Canceled) || !errors.Is(err, starting) {
		t.Errorf("error = %v", err)
	}
	if wrong := (&pgconn.PgError{SeverityUnlocalized: "ERROR", Code: "42601"}); database.TranslateFor(ctx, "things", wrong) != error(wrong) {
		t.Error("a statement's own fault is hidden")
	}
}

func TestACommandThatMetAnotherSessionRunsAgain(t *testing.T) {
	s := newServer(t)
	db := s.open(s.cfg, things)
	for _, code := range []string{"40001", "40P01"} {
		runs := 0
		write(t, db, func(ctx context.Context, tx *database.Tx) error {
			if err := insert(code)(ctx, tx); err != nil {
				return err
			}
			if runs++; runs == 1 {
				return raise(code)(ctx, tx)
			}
			return nil
		})
		runs = 0
		err := db.Write(t.Context(), func(ctx context.Context, tx *database.Tx) error { runs++; return raise(code)(ctx, tx) })
		if wantFault(t, err, fault.KindUnavailable, "database_unavailable"); runs < 2 || runs > 5 {
			t.Errorf("it ran %d times", runs)
		}
	}
	wantIDs(t, db, "40001", "40P01")
}

func TestATableThatChangesUnderAPreparedStatement(t *testing.T) {
	s := newServer(t)
	a, b := s.open(s.cfg, things), s.open(s.cfg)
	columns := func(db *database.DB) (n int) {
		write(t, db, func(_ context.Context, tx *database.Tx) error {
			rows, err := tx.Query("SELECT * FROM thing")
			if err != nil {
				return err
			}
			defer rows.Close()
			names, err := rows.Columns()
			n = len(names)
			return err
		})
		return n
	}
	if n := columns(a); n != 2 {
		t.Errorf("%d columns", n)
	}
	write(t, b, func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec("ALTER TABLE thing ADD COLUMN more TEXT")
		return err
	})
	if n := columns(a); n != 3 {
		t.Errorf("%d columns afterwards", n)
	}
}

func TestStatementsThatAreBuiltDoNotPileUp(t *testing.T) {
	s := newServer(t)
	db := s.open(s.cfg, things)
	for part := range 3 {
		write(t, db, func(_ context.Context, tx *database.Tx) error {
			for n := range 300 {
				if _, err := tx.Exec(fmt.Sprintf("INSERT INTO thing (id) VALUES ('%d-%d-' || ?)", part, n), "x"); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if n := len(ids(t, db)); n != 900 {
		t.Errorf("%d rows", n)
	}
	write(t, db, func(_ context.Context, tx *database.Tx) error {
		var n int
		err := tx.QueryRow("SELECT count(*) FROM pg_prepared_statements").Scan(&n)
		if n > 600 {
			t.Errorf("%d statements are prepared", n)
		}
		return err
	})
}

func TestConnectionsThatAreRefusedAreUnavailable(t *testing.T) {
	s := newServer(t)
	db := s.open(s.cfg.WithPatience(100*time.Millisecond, time.Second, time.Hour, 2*time.Hour), things)
	s.execute("ALTER ROLE " + s.role + " CONNECTION LIMIT 0")
	for s.kill("writer")+s.kill("reader") > 0 {
	}
	wantFault(t, db.Write(t.Context(), insert("a")), fault.KindUnavailable, "database_unavailable")
	wantFault(t, db.QueryRow(t.Context(), "SELECT 1").Scan(new(int)), fault.KindUnavailable, "database_unavailable")
	s.execute("ALTER ROLE " + s.role + " CONNECTION LIMIT -1")
	write(t, db, insert("a"))
	wantIDs(t, db, "a")
}

func TestReadersAreBoundedAndSurviveTheirSessions(t *testing.T) {
	s := newServer(t)
	cfg := s.cfg
	cfg.Pool = 3
	db := s.open(cfg, things)
	write(t, db, insert("a"))
	for range 3 {
		var wg sync.WaitGroup
		for range 12 {
			wg.Go(func() {
				if err := db.QueryRow(t.Context(), "SELECT pg_sleep(0.02)::text").Scan(new(string)); err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		if n := s.kill("reader"); n == 0 || n > cfg.Pool {
			t.Errorf("%d sessions read", n)
		}
	}
	wantIDs(t, db, "a")
}

func TestThereIsNoLastInsertID(t *testing.T) {
	s := newServer(t)
	write(t, s.open(s.cfg, things), func(_ context.Context, tx *database.Tx) error {
		result, err := tx.Exec("INSERT INTO thing (id) VALUES ('a')")
		if err != nil {
			return err
		}
		_, none := result.LastInsertId()
		if n, err := result.RowsAffected(); n != 1 || err != nil || none == nil {
			t.Errorf("%d rows, %v; %v", n, err, none)
		}
		return nil
	})
}

func TestAReadEndsWithItsContextOnTheServerToo(t *testing.T) {
	s := newServer(t)
	db := s.open(s.cfg, things)
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	if err := db.QueryRow(ctx, "SELECT pg_sleep(20)::text").Scan(new(string)); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	await(t, "the server to stop", func() bool {
		var running int
		err := s.admin.QueryRow(t.Context(), "SELECT count(*) FROM pg_stat_activity WHERE usename = $1 AND state = 'active'", s.role).Scan(&running)
		return err == nil && running == 0
	})
}
