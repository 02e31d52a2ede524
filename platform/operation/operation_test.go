package operation_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
	"kerf/platform/kerfpb"
	"kerf/platform/operation"
)

const things = "CREATE TABLE thing (id TEXT NOT NULL PRIMARY KEY)"

// Any messages do: the package knows nothing of their fields.
type answer = kerfpb.Money

func request(code string) proto.Message { return &kerfpb.Detail{Code: code} }

// act is a command that writes a row, counts its runs, and answers with their number, or with err.
func act(runs *int, err error) func(context.Context, *database.Tx) (*answer, error) {
	return func(_ context.Context, tx *database.Tx) (*answer, error) {
		*runs++
		if _, err := tx.Exec("INSERT INTO thing VALUES (?)", fmt.Sprint("run ", *runs)); err != nil {
			return nil, err
		}
		return &answer{Amount: int64(*runs)}, err
	}
}

func count(t *testing.T, db *database.DB, table string) (n int) {
	t.Helper()
	if err := db.QueryRow(t.Context(), "SELECT count(*) FROM "+table).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

func TestARepeatGetsTheFirstAnswer(t *testing.T) {
	db := databasetest.Open(t, "kitchen", things)
	runs := 0
	for range 3 {
		res, err := operation.Run(t.Context(), db, "key", request("a"), act(&runs, nil))
		if err != nil || res.GetAmount() != 1 {
			t.Errorf("got %v, %v", res, err)
		}
	}
	if runs != 1 || count(t, db, "thing") != 1 {
		t.Errorf("ran %d times, wrote %d rows", runs, count(t, db, "thing"))
	}
	if res, err := operation.Run(t.Context(), db, "other key", request("a"), act(&runs, nil)); err != nil || res.GetAmount() != 2 {
		t.Errorf("another key got %v, %v", res, err)
	}
}

func TestAnEmptyAnswerIsAnAnswer(t *testing.T) {
	db := databasetest.Open(t, "kitchen")
	runs := 0
	for range 2 {
		res, err := operation.Run(t.Context(), db, "key", request("a"), func(context.Context, *database.Tx) (*answer, error) {
			runs++
			return &answer{}, nil
		})
		if err != nil || res == nil {
			t.Errorf("got %v, %v", res, err)
		}
	}
	if runs != 1 {
		t.Errorf("ran %d times", runs)
	}
}

func TestAKeyOfAnotherRequestIsRefused(t *testing.T) {
	db := databasetest.Open(t, "kitchen", things)
	runs := 0
	if _, err := operation.Run(t.Context(), db, "key", request("a"), act(&runs, nil)); err != nil {
		t.Fatal(err)
	}
	sameBytes := &kerfpb.Money{Currency: "a"}
	for _, other := range []proto.Message{request("b"), sameBytes} {
		_, err := operation.Run(t.Context(), db, "key", other, act(&runs, nil))
		if f := fault.As(err); f == nil || f.Kind != fault.KindRefused || f.Code != "operation_key_reused" {
			t.Errorf("%v: got %v", other, err)
		}
	}
	if res, err := operation.Run(t.Context(), db, "key", request("a"), act(&runs, nil)); err != nil || res.GetAmount() != 1 || runs != 1 {
		t.Errorf("the first request then got %v, %v after %d runs", res, err, runs)
	}
}

func TestADefiniteRefusalIsKeptAndItsWritesAreNot(t *testing.T) {
	refusals := []*fault.Error{
		fault.Refused("quote_expired", "the quote expired"),
		fault.NotFound("ticket"),
		fault.Stale("version 3 is the present one"),
		fault.Forbidden("foreign", "not yours"),
		fault.Invalid(fault.Violation{Field: "id", Description: "must be a UUID"}),
	}
	for _, refusal := range refusals {
		t.Run(refusal.Kind.String(), func(t *testing.T) {
			db := databasetest.Open(t, "kitchen", things)
			runs := 0
			for range 2 {
				res, err := operation.Run(t.Context(), db, "key", request("a"), act(&runs, fmt.Errorf("drop: %w", refusal)))
				if res != nil {
					t.Errorf("a refusal came with %v", res)
				}
				if diff := cmp.Diff(refusal, fault.As(err)); diff != "" {
					t.Errorf("refusal differs (-want +got):\n%s", diff)
				}
			}
			if runs != 1 || count(t, db, "thing") != 0 || count(t, db, "operation") != 1 {
				t.Errorf("ran %d times, wrote %d rows", runs, count(t, db, "thing"))
			}
		})
	}
}

func TestAnUnknownOutcomeIsNotKept(t *testing.T) {
	for _, unknown := range []error{
		errors.New("a defect"),
		fault.Unavailable(0, "provider_down", "the provider is down"),
		context.DeadlineExceeded,
	} {
		t.Run(unknown.Error(), func(t *testing.T) {
			db := databasetest.Open(t, "kitchen", things)
			runs := 0
			if _, err := operation.Run(t.Context(), db, "key", request("a"), act(&runs, unknown)); err != unknown {
				t.Errorf("got %v", err)
			}
			if count(t, db, "thing") != 0 || count(t, db, "operation") != 0 {
				t.Error("something was kept")
			}
			if res, err := operation.Run(t.Context(), db, "key", request("a"), act(&runs, nil)); err != nil || res.GetAmount() != 2 {
				t.Errorf("the repeat got %v, %v", res, err)
			}
		})
	}
}

func TestAKeyIsRequired(t *testing.T) {
	db := databasetest.Open(t, "kitchen", things)
	_, err := operation.Run(t.Context(), db, "", request("a"), act(new(int), nil))
	f := fault.As(err)
	if f == nil || f.Kind != fault.KindInvalid || len(f.Violations) != 1 || f.Violations[0].Field != "operation_key" {
		t.Errorf("got %v", err)
	}
}

func TestConcurrentRepeatsRunOnce(t *testing.T) {
	db := databasetest.Open(t, "kitchen", things)
	runs := 0 // Only the writer touches it.
	var wg sync.WaitGroup
	for range 32 {
		wg.Go(func() {
			res, err := operation.Run(t.Context(), db, "key", request("a"), act(&runs, nil))
			if err != nil || res.GetAmount() != 1 {
				t.Errorf("got %v, %v", res, err)
			}
		})
	}
	wg.Wait()
	if count(t, db, "thing") != 1 {
		t.Errorf("wrote %d rows", count(t, db, "thing"))
	}
}

func TestRunInSharesTheCallersTransaction(t *testing.T) {
	db := databasetest.Open(t, "kitchen", things)
	refusal := fault.Refused("closed", "the kitchen is closed")
	run := func(result error) error {
		return db.Write(t.Context(), func(ctx context.Context, tx *database.Tx) error {
			if _, err := tx.Exec("INSERT INTO thing VALUES ('mine') ON CONFLICT DO NOTHING"); err != nil {
				return err
			}
			_, err := operation.RunIn(ctx, tx, "key", request("a"), act(new(int), refusal))
			if diff := cmp.Diff(refusal, fault.As(err)); diff != "" {
				t.Errorf("refusal differs (-want +got):\n%s", diff)
			}
			return result
		})
	}
	if err := run(refusal); err != error(refusal) || count(t, db, "operation") != 0 || count(t, db, "thing") != 0 {
		t.Errorf("rolled back with %v, %d rows were kept", err, count(t, db, "operation"))
	}
	if err := run(nil); err != nil || count(t, db, "operation") != 1 || count(t, db, "thing") != 1 {
		t.Errorf("committed with %v, %d rows were kept", err, count(t, db, "operation"))
	}
}
