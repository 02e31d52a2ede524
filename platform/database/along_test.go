package database_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"runtime"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"kerf/migrations"
	"kerf/platform/database"
	"kerf/platform/fault"
)

// commits returns how many groups were committed.
func commits(t *testing.T, reg *prometheus.Registry) uint64 {
	t.Helper()
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() == "kerf_database_group_size" {
			return family.GetMetric()[0].GetHistogram().GetSampleCount()
		}
	}
	t.Fatal("no group was measured")
	return 0
}

func TestAPatientCommandSharesTheCommitOfOneThatComesLater(t *testing.T) {
	reg := prometheus.NewRegistry()
	db, err := database.Open(t.Context(), "orders", database.Config{Dir: t.TempDir()}, migrations.FS, slog.New(slog.DiscardHandler), reg)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	nothing := func(context.Context, *database.Tx) error { return nil }
	const attempts = 20
	shared := 0
	for range attempts {
		before := commits(t, reg)
		ctx := watched{t.Context(), make(chan struct{}, 1)}
		patient := make(chan error, 1)
		go func() { patient <- db.WriteAlong(ctx, nothing) }()
		<-ctx.waits
		for range 100 { // the writer could begin by now
			runtime.Gosched()
		}
		if err := errors.Join(db.Write(t.Context(), nothing), <-patient); err != nil {
			t.Fatal(err)
		}
		if commits(t, reg) == before+1 {
			shared++
		}
	}
	if shared < attempts/2 { // on a slow machine, some run out of patience
		t.Errorf("%d of %d patient commands shared a commit", shared, attempts)
	}
}

// watched tells when somebody begins to wait for the end of a context.
type watched struct {
	context.Context
	waits chan struct{}
}

func (w watched) Done() <-chan struct{} {
	w.waits <- struct{}{}
	return w.Context.Done()
}

func TestAPatientCommandIsCommittedThoughNobodyComes(t *testing.T) {
	db := open(t)
	if err := db.WriteAlong(t.Context(), insert("a")); err != nil {
		t.Fatal(err)
	}
	wantIDs(t, db, "a")
	err := db.WriteAlong(t.Context(), refuse(insert("b")))
	if !errors.Is(err, errNo) {
		t.Errorf("got %v, want the command's own error", err)
	}
	wantIDs(t, db, "a")
}

func TestAPatientCommandIsGivenUpWithItsCaller(t *testing.T) {
	db := open(t)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := db.WriteAlong(ctx, insert("a")); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the end of the caller's context", err)
	}
	write(t, db, insert("b"))
	wantIDs(t, db, "b")
}

func TestPatientCommandsOutliveOneThatEndsItsGoroutine(t *testing.T) {
	db := open(t)
	errs := make([]error, 20)
	want := []string{}
	var callers sync.WaitGroup
	for i := range errs {
		f := insert(fmt.Sprintf("%02d", i))
		if i == 3 {
			f = func(context.Context, *database.Tx) error { runtime.Goexit(); return nil }
		} else {
			want = append(want, fmt.Sprintf("%02d", i))
		}
		callers.Go(func() { errs[i] = db.WriteAlong(t.Context(), f) })
	}
	callers.Wait()
	for i, err := range errs {
		if (err != nil) != (i == 3) {
			t.Errorf("command %d: %v", i, err)
		}
	}
	wantIDs(t, db, want...)
}

func TestCloseAnswersPatientCommands(t *testing.T) {
	for range 20 { // with the writer in different places
		db := open(t)
		answered := make(chan error, 1)
		go func() { answered <- db.WriteAlong(context.Background(), insert("a")) }()
		runtime.Gosched()
		if err := db.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-answered; err != nil {
			wantFault(t, err, fault.KindUnavailable, "database_unavailable")
		}
	}
}
