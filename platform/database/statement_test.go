package database_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
)

// On PostgreSQL a failed statement ends the transaction up to a savepoint; on SQLite commands are held to the same.
func TestACommandDoesNotGoOnAfterAStatementFailed(t *testing.T) {
	db := open(t)
	write(t, db, insert("a"))
	var second error
	swallow := func(then func(ctx context.Context, tx *database.Tx) error) work {
		return func(ctx context.Context, tx *database.Tx) error {
			if err := insert("a")(ctx, tx); !database.IsDuplicate(err) {
				t.Errorf("a second a gave %v", err)
			}
			return then(ctx, tx)
		}
	}
	errs := together(t, db, insert("b"),
		swallow(func(context.Context, *database.Tx) error { return nil }),
		swallow(func(ctx context.Context, tx *database.Tx) error { second = insert("c")(ctx, tx); return nil }),
		swallow(func(ctx context.Context, tx *database.Tx) error { return tx.QueryRow("SELECT 1").Scan(new(int)) }),
		swallow(func(ctx context.Context, tx *database.Tx) error {
			return tx.Savepoint(func() error { return insert("d")(ctx, tx) })
		}),
		swallow(func(context.Context, *database.Tx) error { return errNo }),
		insert("e"))
	for _, err := range slices.Concat(errs[1:5], []error{second}) {
		wantFault(t, err, fault.KindInternal, "statement_failed")
	}
	if errs[0] != nil || !errors.Is(errs[5], errNo) || errs[6] != nil {
		t.Errorf("the others got %v, %v, %v", errs[0], errs[5], errs[6])
	}
	wantIDs(t, db, "a", "b", "e")
}

func TestASavepointTakesAFailedStatement(t *testing.T) {
	db := open(t)
	write(t, db, insert("a"))
	duplicate := func(ctx context.Context, tx *database.Tx) error {
		err := tx.Savepoint(func() error { return insert("a")(ctx, tx) })
		if !database.IsDuplicate(err) {
			t.Errorf("a second a gave %v", err)
		}
		return nil
	}
	errs := together(t, db, insert("b"), func(ctx context.Context, tx *database.Tx) error {
		_ = duplicate(ctx, tx)
		if err := insert("c")(ctx, tx); err != nil {
			return err
		}
		err := tx.Savepoint(func() error { // Swallowing does not help within it.
			_ = insert("a")(ctx, tx)
			return nil
		})
		wantFault(t, err, fault.KindInternal, "statement_failed")
		return tx.Savepoint(func() error {
			_ = tx.Savepoint(func() error {
				_ = insert("x")(ctx, tx)
				return tx.Savepoint(func() error { return insert("a")(ctx, tx) })
			})
			_ = tx.Savepoint(func() error {
				_ = tx.Savepoint(func() error { return insert("y")(ctx, tx) })
				return errNo
			})
			_ = tx.Savepoint(func() error { return errNo })
			return insert("d")(ctx, tx)
		})
	}, duplicate, insert("e"))
	for _, err := range errs {
		if err != nil {
			t.Error(err)
		}
	}
	wantIDs(t, db, "a", "b", "c", "d", "e")
}

func TestARefusalLeavesNothingWhereverItStandsInTheGroup(t *testing.T) {
	db := open(t)
	nothing := func(context.Context, *database.Tx) error { return nil }
	for name, group := range map[string][]work{
		"alone":               {refuse(insert("x"))},
		"first":               {refuse(insert("x")), insert("a")},
		"last":                {insert("a"), refuse(insert("x"))},
		"before nothing":      {insert("a"), refuse(insert("x")), nothing},
		"after nothing":       {nothing, refuse(insert("x"))},
		"only":                {refuse(insert("x")), refuse(insert("y")), refuse(insert("z"))},
		"without a statement": {insert("a"), func(context.Context, *database.Tx) error { return errNo }, insert("b"), refuse(insert("x"))},
		"after a failure":     {insert("a"), insert("a"), refuse(insert("x"))},
		"after a savepoint": {insert("a"), func(ctx context.Context, tx *database.Tx) error {
			return errors.Join(tx.Savepoint(func() error { return insert("x")(ctx, tx) }), errNo)
		}},
		"before one putting off": {refuse(insert("x")), func(_ context.Context, tx *database.Tx) error {
			return tx.ExecLater("INSERT INTO thing (id) VALUES ('b')")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			write(t, db, func(_ context.Context, tx *database.Tx) error { _, err := tx.Exec("DELETE FROM thing"); return err })
			together(t, db, group...)
			for _, id := range ids(t, db) {
				if id != "a" && id != "b" {
					t.Errorf("%s is there", id)
				}
			}
		})
	}
}

func TestWhatIsPutOffIsDoneWithTheCommand(t *testing.T) {
	db := open(t)
	const into = "INSERT INTO thing (id) VALUES (?)"
	later := func(ids ...string) work {
		return func(_ context.Context, tx *database.Tx) error {
			for _, id := range ids {
				if err := tx.ExecLater(into, id); err != nil {
					return err
				}
			}
			return nil
		}
	}
	errs := together(t, db, later("a", "b"), later("c", "a"), refuse(later("d")), func(ctx context.Context, tx *database.Tx) error {
		if err := later("e")(ctx, tx); err != nil {
			return err
		}
		var n int
		if err := tx.QueryRow("SELECT count(*) FROM thing").Scan(&n); err != nil || n != 3 {
			t.Errorf("%d of the rows that were put off are seen, %v", n, err)
		}
		if err := later("f")(ctx, tx); err != nil {
			return err
		}
		_ = tx.Savepoint(func() error { _ = later("g")(ctx, tx); return errNo })
		return tx.Savepoint(func() error { return later("h")(ctx, tx) })
	}, func(ctx context.Context, tx *database.Tx) error {
		_ = later("a")(ctx, tx) // Nobody looks.
		return nil
	}, later("i"))
	if errs[0] != nil || errs[3] != nil || errs[5] != nil || !errors.Is(errs[2], errNo) {
		t.Errorf("%v", errs)
	}
	if !database.IsDuplicate(errs[1]) {
		t.Errorf("the second a came back as %v", errs[1])
	}
	if errs[4] == nil {
		t.Error("a command succeeded though what it put off failed")
	}
	wantIDs(t, db, "a", "b", "e", "f", "h", "i")
}

func TestValuesComeBackAsTheyWere(t *testing.T) {
	db := databasetest.Open(t, "orders", "CREATE TABLE value (id TEXT, flag INTEGER, large INTEGER, share REAL, bytes BLOB)")
	type value struct {
		ID    string
		Flag  bool
		Large int64
		Share float64
		Bytes []byte
	}
	want := []value{{"a", true, 1 << 60, 0.25, []byte{0, 1, 255}}, {"b", false, -1, -1e300, []byte{}}}
	write(t, db, func(_ context.Context, tx *database.Tx) error {
		if err := tx.Gorm().Create(&want[0]).Error; err != nil {
			return err
		}
		v := want[1]
		if _, err := tx.Exec("INSERT INTO value VALUES (?, ?, ?, ?, ?)", v.ID, v.Flag, v.Large, v.Share, v.Bytes); err != nil {
			return err
		}
		var n int64
		if err := tx.QueryRow("SELECT sum(large) FROM value WHERE flag = ?", true).Scan(&n); err != nil || n != 1<<60 {
			t.Errorf("a sum came back as %d, %v", n, err)
		}
		v = value{}
		err := tx.QueryRow("SELECT id, flag, large, share, bytes FROM value WHERE flag = ?", false).Scan(&v.ID, &v.Flag, &v.Large, &v.Share, &v.Bytes)
		if diff := cmp.Diff(want[1], v); diff != "" {
			t.Errorf("within the transaction (-want +got):\n%s", diff)
		}
		return err
	})
	var got []value
	if err := db.Read(t.Context()).Order("id").Find(&got).Error; err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("through GORM (-want +got):\n%s", diff)
	}
	var empty []byte
	var large *int64
	write(t, db, func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec("INSERT INTO value (id, bytes, large) VALUES ('c', ?, ?)", []byte(nil), nil)
		return err
	})
	if err := db.QueryRow(t.Context(), "SELECT bytes, large FROM value WHERE id = ?", "c").Scan(&empty, &large); err != nil || empty != nil || large != nil {
		t.Errorf("nothing came back as %v, %v: %v", empty, large, err)
	}
}

func TestQuestionMarksAreArgumentsOutsideOfQuotes(t *testing.T) {
	db := open(t)
	const query = `SELECT 'what?', id AS "why?", 'it''s?' -- no?
		/* nor here? */ FROM thing WHERE id = ? OR id = ?`
	write(t, db, insert("a"))
	for range 2 {
		var quoted, id, doubled string
		if err := db.QueryRow(t.Context(), query, "b", "a").Scan(&quoted, &id, &doubled); err != nil || quoted != "what?" || id != "a" || doubled != "it's?" {
			t.Errorf("%s, %s, %s: %v", quoted, id, doubled, err)
		}
	}
}

func TestArgumentsThatDoNotFitAreAnError(t *testing.T) {
	db := open(t)
	errs := together(t, db, insert("a"), func(_ context.Context, tx *database.Tx) error {
		_, err := tx.Exec("INSERT INTO thing (id) VALUES (?)", struct{}{})
		return err
	}, insert("b"))
	if errs[0] != nil || errs[1] == nil || !strings.Contains(errs[1].Error(), "argument 1") || errs[2] != nil {
		t.Errorf("%v", errs)
	}
	wantIDs(t, db, "a", "b")
}
