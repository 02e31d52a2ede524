package work_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"testing"
	"time"

	"kerf/migrations"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/work"
)

// folderVariable makes the test's binary be the process that is killed.
const folderVariable = "WORK_TEST_FOLDER"

func TestMain(m *testing.M) {
	if dir := os.Getenv(folderVariable); dir != "" {
		fmt.Fprintln(os.Stderr, workUntilKilled(dir))
		os.Exit(1)
	}
	if text := os.Getenv(replicaVariable); text != "" {
		var r replica
		err := json.Unmarshal([]byte(text), &r)
		if err == nil {
			err = r.run()
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}

func openQueue(ctx context.Context, dir string) (*database.DB, *work.Queue, error) {
	log := slog.New(slog.DiscardHandler)
	db, err := database.Open(ctx, "orders", database.Config{Driver: "sqlite", Dir: dir}, migrations.FS, log, nil)
	if err != nil {
		return nil, nil, err
	}
	clk, err := clock.New(clock.List{{Wall: noon, Domain: noon, Speed: 1}})
	return db, work.New(db, clk, work.Config{Workers: 4}, log, nil), err
}

// workUntilKilled schedules 16 items, whose handlers never return, and says so once
// all workers have one in hand.
func workUntilKilled(dir string) error {
	ctx := context.Background()
	db, queue, err := openQueue(ctx, dir)
	if err != nil {
		return err
	}
	begun := make(chan struct{})
	queue.Handle("place", work.Wall, func(context.Context, *work.Claim) error {
		begun <- struct{}{}
		select {}
	})
	go queue.Run(ctx)
	err = db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
		for i := range 16 {
			if err := queue.Schedule(tx, "place", fmt.Sprint(i), noon, nil); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for range 4 {
		<-begun
	}
	fmt.Println("busy")
	select {}
}

func TestItemsInHandWhenTheProcessIsKilledAreHandledByTheNext(t *testing.T) {
	dir := t.TempDir()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	victim := exec.CommandContext(ctx, os.Args[0])
	victim.Env, victim.Stderr = append(os.Environ(), folderVariable+"="+dir), os.Stderr
	stdout, err := victim.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	if line, err := bufio.NewReader(stdout).ReadString('\n'); line != "busy\n" {
		t.Fatalf("stdout: %q, %v", line, err)
	}
	if err := victim.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	victim.Wait() // its error is that it was killed

	db, queue, err := openQueue(ctx, dir)
	if err != nil {
		t.Fatal(err)
	}
	handled := make(chan string, 16)
	queue.Handle("place", work.Wall, func(_ context.Context, c *work.Claim) error {
		handled <- c.Key
		return nil
	})
	running, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	began := time.Now()
	go func() { ended <- queue.Run(running) }()
	seen := map[string]bool{}
	for range 16 {
		seen[receive(t, "an item", handled)] = true
	}
	took := time.Since(began)
	stop()

	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := db.Close(); err != nil {
		t.Error(err)
	}
	if len(seen) != 16 || took > 30*time.Second { // less than the lease
		t.Errorf("%d of 16 items after %v", len(seen), took)
	}
}
