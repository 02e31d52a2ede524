package clock

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// journal is a log that a test reads.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) count(text string) int {
	j.mu.Lock()
	defer j.mu.Unlock()
	return strings.Count(j.text.String(), text)
}

// await returns when condition holds, and fails the test if it does not within some seconds.
func await(t *testing.T, what string, condition func() bool) {
	t.Helper()
	deadline := time.Now().Add(10 * time.Second)
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	for !condition() {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain: %s", what)
		}
		<-tick.C
	}
}

// follow follows and runs until the test ends.
func follow(t *testing.T, cfg FollowConfig) (*Follower, *journal) {
	t.Helper()
	log := &journal{}
	cfg.Every = time.Millisecond
	f, err := Follow(t.Context(), cfg, slog.New(slog.NewTextHandler(log, nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var running sync.WaitGroup
	running.Go(func() {
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { cancel(); running.Wait() })
	return f, log
}

// keeper serves a list as the gateway does.
type keeper struct {
	*httptest.Server
	mu     sync.Mutex
	status int
	list   List
}

func startKeeper(t *testing.T, status int, list List) *keeper {
	t.Helper()
	k := &keeper{status: status, list: list}
	k.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		k.mu.Lock()
		defer k.mu.Unlock()
		w.WriteHeader(k.status)
		_ = json.NewEncoder(w).Encode(map[string]any{"now": time.Now(), "speed": 1, "segments": k.list}) // whoever left needs nothing
	}))
	t.Cleanup(k.Close)
	return k
}

func (k *keeper) answers(status int, list List) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.status, k.list = status, list
}

func listFrom(wall time.Time, speeds ...float64) (list List) {
	for i, speed := range speeds {
		list, _ = list.continued(wall.Add(time.Duration(i)*time.Microsecond), speed)
	}
	return list
}

func TestAFollowerAgreesWithTheKeeperAndTakesUpItsSpeed(t *testing.T) {
	start := Cut(time.Now())
	path := filepath.Join(t.TempDir(), "clock.json")
	if err := writeList(path, listFrom(start, 60)); err != nil {
		t.Fatal(err)
	}
	gateway := startKeeper(t, http.StatusOK, listFrom(start, 60))
	for name, c := range map[string]struct {
		cfg    FollowConfig
		change func()
	}{
		"file": {FollowConfig{File: path, Speed: 60}, func() {
			if err := writeList(path, listFrom(start, 60, 100_000)); err != nil {
				t.Error(err)
			}
		}},
		"URL": {FollowConfig{URL: gateway.URL + "/v1/clock"}, func() { gateway.answers(http.StatusOK, listFrom(start, 60, 100_000)) }},
	} {
		t.Run(name, func(t *testing.T) {
			f, _ := follow(t, c.cfg)
			wall := start.Add(time.Hour).UnixMicro()
			if got, want := f.rule().at(wall), listFrom(start, 60)[0].at(wall); got != want || f.Speed() != 60 {
				t.Errorf("tells %d, want %d, at speed %v", got, want, f.Speed())
			}
			// A domain day is 24 minutes at speed 60, and less than a second at the other.
			day := f.Timer(f.Now().Add(24 * time.Hour))
			defer day.Stop()
			before := f.Now()
			c.change()
			select {
			case <-day.C:
			case <-time.After(10 * time.Second):
				t.Fatal("whoever waited was not woken when the speed changed")
			}
			if f.Speed() != 100_000 || f.Now().Before(before.Add(24*time.Hour)) {
				t.Errorf("speed %v, %v passed", f.Speed(), f.Now().Sub(before))
			}
			if len(f.asleep.recheck) != 0 {
				t.Error("a timer that fired is kept")
			}
		})
	}
}

func TestAFollowerWaitsForAKeeperThatIsAboutToStart(t *testing.T) {
	start := Cut(time.Now())
	path := filepath.Join(t.TempDir(), "clock.json")
	gateway := startKeeper(t, http.StatusServiceUnavailable, nil)
	for name, c := range map[string]struct {
		cfg FollowConfig
		has func() error
	}{
		"file": {FollowConfig{File: path}, func() error { return writeList(path, listFrom(start, 2)) }},
		"URL":  {FollowConfig{URL: gateway.URL}, func() error { gateway.answers(http.StatusOK, listFrom(start, 2)); return nil }},
	} {
		t.Run(name, func(t *testing.T) {
			log := &journal{}
			got := make(chan error, 1)
			go func() {
				f, err := Follow(t.Context(), c.cfg, slog.New(slog.NewTextHandler(log, nil)))
				if err == nil && f.Speed() != 2 {
					err = errors.New("another speed")
				}
				got <- err
			}()
			await(t, "the follower says what it waits for", func() bool { return log.count("waiting for the domain clock's list") == 1 })
			if err := c.has(); err != nil {
				t.Fatal(err)
			}
			if err := <-got; err != nil {
				t.Error(err)
			}
		})
	}
}

func TestAListThatCannotBeFollowedIsAnErrorInOneLine(t *testing.T) {
	dir := t.TempDir()
	file := func(content string) string {
		path := filepath.Join(dir, "clock.json")
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	fast := startKeeper(t, http.StatusOK, listFrom(Cut(time.Now()), 60))
	lost := startKeeper(t, http.StatusNotFound, nil)
	page := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("<html>")) }))
	defer page.Close()
	gone := httptest.NewServer(nil)
	gone.Close()
	for want, cfg := range map[string]FollowConfig{
		"not a clock file":                {File: file("[]")},
		"runs at the speed 60, not 600":   {URL: fast.URL, Speed: 600},
		"404":                             {URL: lost.URL},
		"not the answer of GET /v1/clock": {URL: page.URL},
		"no such file":                    {File: filepath.Join(dir, "none"), Wait: time.Millisecond},
		"connection refused":              {URL: gone.URL, Wait: time.Millisecond},
	} {
		_, err := Follow(t.Context(), cfg, slog.New(slog.DiscardHandler))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), cfg.File+cfg.URL) || strings.Contains(err.Error(), "\n") {
			t.Errorf("error = %v, want %s", err, want)
		}
	}
	stopped, stop := context.WithCancel(t.Context())
	stop()
	if _, err := Follow(stopped, FollowConfig{File: filepath.Join(dir, "none")}, slog.New(slog.DiscardHandler)); err == nil {
		t.Error("went on although the process ends")
	}
}

func TestAClockThatIsFollowedGoesOnWhateverBecomesOfItsList(t *testing.T) {
	start := Cut(time.Now())
	for name, spoil := range map[string]func(path string) error{
		"gone":      os.Remove,
		"garbage":   func(path string) error { return os.WriteFile(path, []byte("{"), 0o600) },
		"another":   func(path string) error { return writeList(path, listFrom(start.Add(time.Second), 60, 1)) },
		"cut short": func(path string) error { return writeList(path, listFrom(start, 60)) },
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "clock.json")
			if err := writeList(path, listFrom(start, 60, 600)); err != nil {
				t.Fatal(err)
			}
			f, log := follow(t, FollowConfig{File: path})
			if err := spoil(path); err != nil {
				t.Fatal(err)
			}
			await(t, "it is told", func() bool { return log.count("goes on as it did") > 0 })
			if f.Speed() != 600 {
				t.Errorf("speed = %v", f.Speed())
			}
			if err := writeList(path, listFrom(start, 60, 600, 3)); err != nil {
				t.Fatal(err)
			}
			await(t, "the list is taken up again", func() bool { return f.Speed() == 3 })
			if got := log.count("goes on as it did"); got != 1 {
				t.Errorf("told %d times", got)
			}
		})
	}
}

func TestAPlainClockTellsTheWall(t *testing.T) {
	c := Plain()
	before := c.Wall()
	if now := c.Now(); now.Before(before) || now.After(c.Wall()) || c.Speed() != 1 {
		t.Errorf("tells %v at %v, at speed %v", now, before, c.Speed())
	}
	if _, err := New(c.List()); err != nil {
		t.Error(err)
	}
}
