package clock

import (
	"context"
	"errors"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func openAt(t *testing.T, path string, speed float64, wall time.Time) *Clock {
	t.Helper()
	c, err := open(path, speed, wall)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// domainAt is what the clock would tell at that wall instant.
func (c *Clock) domainAt(wall time.Time) time.Time {
	return time.UnixMicro(c.rule().at(wall.UnixMicro())).UTC()
}

func TestDomainTimeContinuesThroughRestartsAndSpeeds(t *testing.T) {
	path := filepath.Join(t.TempDir(), "data", "clock.json")

	first := openAt(t, path, 0, noon)
	if got := first.domainAt(noon.Add(time.Minute)); !got.Equal(noon.Add(time.Minute)) || first.Speed() != 1 {
		t.Errorf("a new clock tells %v at speed %v", got, first.Speed())
	}
	fast := openAt(t, path, 600, noon.Add(time.Hour))
	if got := fast.domainAt(noon.Add(time.Hour + time.Second)); !got.Equal(noon.Add(time.Hour + 10*time.Minute)) {
		t.Errorf("one second after the change to 600: %v", got)
	}
	kept := openAt(t, path, 0, noon.Add(2*time.Hour))
	if want := noon.Add(time.Hour + 600*time.Hour); !kept.domainAt(noon.Add(2*time.Hour)).Equal(want) || kept.Speed() != 600 {
		t.Errorf("an hour later at speed %v: %v", kept.Speed(), kept.domainAt(noon.Add(2*time.Hour)))
	}
	same := openAt(t, path, 600, noon.Add(3*time.Hour))
	want := List{{Wall: noon, Domain: noon, Speed: 1}, {Wall: noon.Add(time.Hour), Domain: noon.Add(time.Hour), Speed: 600}}
	if diff := cmp.Diff(want, same.List()); diff != "" {
		t.Errorf("list (-want +got):\n%s", diff)
	}
}

func TestDomainTimeDoesNotGoBackWhenTheWallDoes(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clock.json")
	openAt(t, path, 60, noon)

	before := noon.Add(-time.Hour)
	c := openAt(t, path, 0, before)

	if got := c.domainAt(before); got.Before(noon) {
		t.Errorf("domain time went back to %v", got)
	}
	if got := c.domainAt(before.Add(time.Second)); !got.After(noon) {
		t.Errorf("domain time stands still at %v", got)
	}
	if _, err := New(c.List()); err != nil {
		t.Errorf("the list cannot be handed on: %v", err)
	}
}

func TestBrokenFileIsAClearErrorAndIsKept(t *testing.T) {
	for name, content := range map[string]string{
		"empty file":     "",
		"no list":        `{"speed": 1}`,
		"no entry":       "[]",
		"null":           "null",
		"cut off":        `[{"wall":"2026-03-01T12:00:00Z","domain":"2026-03-01T12:00`,
		"trailing data":  `[{"wall":"2026-03-01T12:00:00Z","domain":"2026-03-01T12:00:00Z","speed":1}] x`,
		"unknown field":  `[{"wall":"2026-03-01T12:00:00Z","domain":"2026-03-01T12:00:00Z","speed":1,"sped":2}]`,
		"speed 0":        `[{"wall":"2026-03-01T12:00:00Z","domain":"2026-03-01T12:00:00Z","speed":0}]`,
		"negative speed": `[{"wall":"2026-03-01T12:00:00Z","domain":"2026-03-01T12:00:00Z","speed":-1}]`,
		"no instant":     `[{"speed":1}]`,
		"goes back": `[{"wall":"2026-03-01T12:00:00Z","domain":"2026-03-01T12:00:00Z","speed":60},
			{"wall":"2026-03-01T12:01:00Z","domain":"2026-03-01T12:59:59Z","speed":1}]`,
		"past all years": `[{"wall":"1970-01-01T00:00:00Z","domain":"9000-01-01T00:00:00Z","speed":100000}]`,
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "clock.json")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}

			_, err := open(path, 2, noon.Add(time.Hour))

			if err == nil || !strings.Contains(err.Error(), path) || strings.Contains(err.Error(), "\n") {
				t.Errorf("error = %v", err)
			}
			if now, _ := os.ReadFile(path); string(now) != content {
				t.Errorf("the file now holds %s", now)
			}
		})
	}
}

func TestImpossibleSpeedIsRefusedBeforeAnythingIsWritten(t *testing.T) {
	for _, speed := range []float64{-1, math.NaN(), math.Inf(1), MaxSpeed + 1} {
		path := filepath.Join(t.TempDir(), "clock.json")
		if _, err := Open(path, speed); err == nil {
			t.Errorf("speed %v is accepted", speed)
		}
		if _, err := os.Stat(path); err == nil {
			t.Errorf("speed %v is written down", speed)
		}
	}
}

func TestFileIsReplacedInOneStep(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "clock.json")
	openAt(t, path, 1, noon)
	openAt(t, path, 2, noon.Add(time.Second))

	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Errorf("left behind: %v, %v", files, err)
	}
}

func TestNowNeverGoesBackAndIsCutToMicroseconds(t *testing.T) {
	now := time.Now()
	c, err := New(List{{Wall: now, Domain: noon, Speed: 1000}})
	if err != nil {
		t.Fatal(err)
	}
	var tellers sync.WaitGroup
	for range 4 {
		tellers.Go(func() {
			last := time.Time{}
			for range 10_000 {
				now := c.Now()
				if now.Before(last) {
					t.Errorf("%v after %v", now, last)
				}
				if now.Nanosecond()%1000 != 0 || now.Location() != time.UTC {
					t.Errorf("%v is not cut to microseconds of UTC", now)
				}
				last = now
			}
		})
	}
	tellers.Wait()

	c.latest.Store(noon.Add(100 * time.Hour).UnixMicro()) // as if the wall had been set back
	if got := c.Now(); !got.Equal(noon.Add(100 * time.Hour)) {
		t.Errorf("Now went back to %v", got)
	}
}

func TestWallUntilIsLongEnough(t *testing.T) {
	for _, speed := range []float64{0.3, 1, 7, 600, MaxSpeed} {
		rule := Entry{Wall: noon, Domain: noon, Speed: speed}
		for _, left := range []time.Duration{time.Microsecond, 13 * time.Second, 1000 * time.Hour} {
			m := NewManual(noon)
			m.Clock.list.Store(&List{rule})
			wait := m.WallUntil(noon.Add(left))
			m.time.advance(wait)
			if m.Now().Before(noon.Add(left)) {
				t.Errorf("at speed %v, %v after %v it is %v", speed, left, wait, m.Now())
			}
			if excess := wait.Seconds()*speed - left.Seconds(); excess > 1e-6*(speed+1) {
				t.Errorf("at speed %v the wait for %v is %v s of the domain too long", speed, left, excess)
			}
		}
	}
	m := NewManual(noon)
	if m.WallUntil(noon) != 0 || m.WallUntil(noon.Add(-time.Hour)) != 0 {
		t.Error("what has come is waited for")
	}
	if wait := m.WallUntil(time.Date(9000, 1, 1, 0, 0, 0, 0, time.UTC)); wait != math.MaxInt64 {
		t.Errorf("the wait for the year 9000 is %v", wait)
	}
}

func TestTimersFireAtTheirInstant(t *testing.T) {
	now := Cut(time.Now())
	c, err := New(List{{Wall: now, Domain: noon, Speed: 10_000}})
	if err != nil {
		t.Fatal(err)
	}
	due := c.Now().Add(5 * time.Minute) // 30 ms
	if err := c.Wait(t.Context(), due); err != nil {
		t.Fatal(err)
	}
	if c.Now().Before(due) {
		t.Error("woken too early")
	}
	wall := c.Wall().Add(20 * time.Millisecond)
	<-c.WallTimer(wall).C
	if c.Wall().Before(wall) {
		t.Error("woken too early")
	}
	<-c.Timer(noon).C // has come
	stopped := c.WallTimer(c.Wall().Add(time.Hour))
	stopped.Stop()
	stopped.Stop()

	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Wait(ctx, c.Now().Add(1000*time.Hour)); !errors.Is(err, context.Canceled) {
		t.Errorf("Wait = %v", err)
	}
}

func TestManualClockWakesThoseWhoseInstantHasCome(t *testing.T) {
	m := NewManual(noon)
	woken := make(chan string, 2)
	for name, due := range map[string]time.Duration{"hour": time.Hour, "day": 24 * time.Hour} {
		go func() {
			if m.Wait(t.Context(), noon.Add(due)) == nil {
				woken <- name
			}
		}()
	}
	if err := m.AwaitTimers(t.Context(), 2); err != nil {
		t.Fatal(err)
	}

	m.Advance(time.Hour)
	if got := <-woken; got != "hour" {
		t.Errorf("woken: %s", got)
	}
	m.Advance(23 * time.Hour)
	if got := <-woken; got != "day" {
		t.Errorf("woken: %s", got)
	}
	if !m.Wall().Equal(noon.Add(24*time.Hour)) || !m.Now().Equal(m.Wall()) {
		t.Errorf("wall %v, domain %v", m.Wall(), m.Now())
	}
}

// Whatever a file holds, it is refused or rules a clock that does not run backwards,
// also through a change of speed.
func FuzzParseList(f *testing.F) {
	f.Add([]byte(`[{"wall":"2026-03-01T12:00:00Z","domain":"2026-03-01T12:00:00Z","speed":1}]`), int64(5), 2.0)
	f.Add([]byte(`[{"wall":"2026-03-01T12:00:00Z","domain":"2026-03-01T12:00:00Z","speed":600},
		{"wall":"2026-03-01T12:00:01.5Z","domain":"2026-03-01T12:15:00Z","speed":0.5}]`), int64(1<<50), 600.0)
	f.Add([]byte(`[{"wall":"1970-01-01T00:00:00Z","domain":"9999-12-31T23:59:59.999999999Z","speed":1e5}]`), int64(-7), 0.0)
	f.Add([]byte("[]"), int64(0), 0.0)
	f.Fuzz(func(t *testing.T, data []byte, step int64, speed float64) {
		list, err := ParseList(data)
		if err != nil {
			return
		}
		rule := list[len(list)-1]
		for _, e := range list {
			if rule.Domain.UnixMicro() < e.Domain.UnixMicro() {
				t.Fatalf("the last entry starts before %v", e)
			}
		}
		wall, step := rule.Wall.UnixMicro(), step%(1<<50)
		for i := range int64(4) {
			if rule.at(wall+(i+1)*max(step, -step)) < rule.at(wall+i*max(step, -step)) {
				t.Fatalf("%+v runs backwards", rule)
			}
		}
		then := time.UnixMicro(wall + step).UTC()
		if (Entry{Wall: noon, Domain: noon, Speed: speed}).validate() != nil || then.Year() < firstYear || then.Year() > lastYear {
			return
		}
		next, _ := list.continued(then, speed)
		if err := next.Validate(); err != nil {
			t.Fatalf("continued at %v at speed %v: %v", then, speed, err)
		}
		if before, after := rule.at(then.UnixMicro()), next[len(next)-1].at(then.UnixMicro()); after < before {
			t.Fatalf("domain time went back from %d to %d", before, after)
		}
	})
}

func BenchmarkNow(b *testing.B) {
	c, err := New(List{{Wall: time.Now(), Domain: noon, Speed: 600}})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			c.Now()
		}
	})
}
