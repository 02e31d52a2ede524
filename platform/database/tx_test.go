package database_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kerf/platform/database"
	"kerf/platform/fault"
)

func TestSavepointUndoesItsPart(t *testing.T) {
	db := open(t)
	write(t, db, func(ctx context.Context, tx *database.Tx) error {
		_ = insert("a")(ctx, tx)
		err := tx.Savepoint(func() error {
			_ = insert("b")(ctx, tx)
			if err := tx.Savepoint(func() error { return insert("c")(ctx, tx) }); err != nil {
				t.Error(err)
			}
			return errNo
		})
		if err != errNo {
			t.Errorf("got %v", err)
		}
		func() {
			defer func() { _ = recover() }()
			_ = tx.Savepoint(func() error { _ = insert("d")(ctx, tx); panic("again") })
		}()
		return tx.Savepoint(func() error {
			_ = tx.Savepoint(func() error { _ = insert("e")(ctx, tx); return errNo })
			return insert("f")(ctx, tx)
		})
	})
	wantIDs(t, db, "a", "f")
}

func TestGormWritesInTheSameTransaction(t *testing.T) {
	type thing struct {
		ID   string
		Data []byte
	}
	db := open(t)
	write(t, db, func(ctx context.Context, tx *database.Tx) error {
		if err := tx.Gorm().Create(&thing{ID: "a", Data: []byte("x")}).Error; err != nil {
			return err
		}
		if err := tx.Savepoint(func() error { return tx.Gorm().Create(&thing{ID: "a"}).Error }); !database.IsDuplicate(err) {
			t.Errorf("got %v", err)
		}
		var found thing
		if err := tx.Gorm().First(&found, "id = ?", "a").Error; err != nil || string(found.Data) != "x" {
			t.Errorf("found %v, %v", found, err)
		}
		if err := tx.Gorm().Begin().Error; err == nil {
			t.Error("GORM began a transaction within the transaction")
		}
		return insert("b")(ctx, tx)
	})
	err := db.Write(t.Context(), func(_ context.Context, tx *database.Tx) error {
		if err := tx.Gorm().Create(&thing{ID: "c"}).Error; err != nil {
			return err
		}
		return errNo
	})
	if !errors.Is(err, errNo) {
		t.Error(err)
	}
	wantIDs(t, db, "a", "b")
	if err := db.Read(t.Context()).Create(&thing{ID: "d"}).Error; err == nil {
		t.Error("the reading pool wrote")
	}
}

func TestATransactionIsNotUsedOutsideItsCommand(t *testing.T) {
	db := open(t)
	var kept *database.Tx
	write(t, db, func(_ context.Context, tx *database.Tx) error {
		kept = tx
		for _, statement := range []string{"COMMIT", " rollback", "BEGIN", "Savepoint x", "RELEASE command"} {
			if _, err := tx.Exec(statement); err == nil {
				t.Errorf("%s was run", statement)
			}
		}
		return nil
	})
	_, exec := kept.Exec("INSERT INTO thing (id) VALUES ('a')")
	_, query := kept.Query("SELECT 1")
	row := kept.QueryRow("SELECT 1").Scan(new(int))
	orm := kept.Gorm().Exec("INSERT INTO thing (id) VALUES ('b')").Error
	savepoint := kept.Savepoint(func() error { return nil })
	for i, err := range []error{exec, query, row, orm, savepoint} {
		if err == nil || !strings.Contains(err.Error(), "after its end") {
			t.Errorf("use %d after the end: %v", i, err)
		}
	}
	wantIDs(t, db)
}

func TestResultsLeftOpenAreAnErrorAndAreClosed(t *testing.T) {
	db := open(t)
	err := db.Write(t.Context(), func(ctx context.Context, tx *database.Tx) error {
		_ = insert("a")(ctx, tx)
		rows, err := tx.Query("SELECT id FROM thing")
		if err != nil || !rows.Next() {
			t.Errorf("no row, %v", err)
		}
		return err
	})
	wantFault(t, err, fault.KindInternal, "rows_left_open")
	write(t, db, insert("b"))
	wantIDs(t, db, "b")
}

// The same text may be running twice, so a cached statement must not be shared.
func TestNestedQueriesOfTheSameTextKeepTheirPlaces(t *testing.T) {
	db := open(t)
	write(t, db, func(ctx context.Context, tx *database.Tx) error {
		return errors.Join(insert("a")(ctx, tx), insert("b")(ctx, tx))
	})
	var pairs []string
	write(t, db, func(_ context.Context, tx *database.Tx) error {
		const query = "SELECT id FROM thing ORDER BY id"
		outer, err := tx.Query(query)
		if err != nil {
			return err
		}
		defer outer.Close()
		for outer.Next() {
			inner, err := tx.Query(query)
			if err != nil {
				return err
			}
			for inner.Next() {
				var a, b string
				if err := errors.Join(outer.Scan(&a), inner.Scan(&b)); err != nil {
					return err
				}
				pairs = append(pairs, a+b)
			}
			inner.Close()
		}
		return outer.Err()
	})
	if diff := cmp.Diff([]string{"aa", "ab", "ba", "bb"}, pairs); diff != "" {
		t.Error(diff)
	}
}
