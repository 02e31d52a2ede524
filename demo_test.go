package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"kerf/modules"
	"kerf/platform/config"
)

// printed is where the demo prints its command.
type printed struct {
	mu      sync.Mutex
	text    bytes.Buffer
	written chan struct{}
}

func (p *printed) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if strings.Contains(string(b), "curl") {
		close(p.written)
	}
	return p.text.Write(b)
}

func (p *printed) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// startDemo serves with the demo, and returns what it printed once the city lives. At speed 10 a test takes seconds.
func startDemo(t *testing.T, data string) (hint string, stop func()) {
	t.Helper()
	cfg := config.Default()
	cfg.Listen, cfg.Data, cfg.Database.Dir, cfg.Speed, cfg.Log.Level = "127.0.0.1:0", data, data, 10, "error"
	out, log := &printed{written: make(chan struct{})}, new(bytes.Buffer)
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		ended <- modules.Serve(ctx, cfg, modules.Options{Version: "test", Stdout: io.Discard, Stderr: log, Beside: demoIn(cfg, out)})
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server failed: %v\n%s", err, log)
		}
	})
	t.Cleanup(stop)
	select {
	case <-out.written:
	case err := <-ended:
		t.Fatalf("the server ended: %v\n%s", err, log)
	case <-time.After(time.Minute):
		t.Fatal("the demo city does not come to life")
	}
	return out.String(), stop
}

func TestTheCommandOfTheDemoOrdersAndEndsDelivered(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("there is no %s here: the command cannot be run", tool)
			return
		}
	}
	data := t.TempDir()
	hint, stop := startDemo(t, data)
	recorded, err := os.ReadFile(filepath.Join(data, "demo.json"))
	if err != nil {
		t.Fatal(err)
	}
	order(t, hint)
	stop()

	// The same city lives on after a restart.
	hint, _ = startDemo(t, data)
	order(t, hint)
	if again, err := os.ReadFile(filepath.Join(data, "demo.json")); err != nil || !bytes.Equal(again, recorded) {
		t.Errorf("after a restart another city is recorded (%v)", err)
	}
}

// order runs the command that a hint holds, as whoever pastes it does.
func order(t *testing.T, hint string) {
	t.Helper()
	command := regexp.MustCompile(`(?m)^K=.*$`).FindString(hint)
	if command == "" {
		t.Fatalf("no command in %q", hint)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	out, err := exec.CommandContext(ctx, "bash", "-c", command).CombinedOutput()
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	if err != nil || lines[len(lines)-1] != `"status":"DELIVERED"` {
		t.Fatalf("%v\n%s", err, out)
	}
}

func TestOnlyAnEmptyFolderGetsADemo(t *testing.T) {
	cfg := config.Default()
	for name, c := range map[string]struct {
		files []string
		on    bool
		demo  bool
	}{
		"empty":             {nil, true, true},
		"switched off":      {nil, false, false},
		"used without demo": {[]string{"clock.json"}, true, false},
		"with its city":     {[]string{"clock.json", "demo.json"}, true, true},
	} {
		cfg.Data, cfg.Demo = t.TempDir(), c.on
		for _, file := range c.files {
			if err := os.WriteFile(filepath.Join(cfg.Data, file), []byte("{}"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		if got := demoIn(cfg, io.Discard) != nil; got != c.demo {
			t.Errorf("%s: demo is %v", name, got)
		}
	}
	cfg.Data, cfg.Demo = filepath.Join(t.TempDir(), "not there yet"), true
	if demoIn(cfg, io.Discard) == nil {
		t.Error("a folder that does not exist is empty")
	}
}

func TestEveryBasketHasWhatItsDishesNeed(t *testing.T) {
	for _, place := range demoPlaces {
		for n := range 12 {
			var cents int64
			for _, line := range place.basket(n) {
				dish, err := place.dish(line["item_id"].(string))
				if err != nil {
					t.Fatal(err)
				}
				cents += dish.cents
				needed := 0
				for _, c := range dish.choices {
					needed += c.min
				}
				if got := len(line["options"].([]map[string]any)); got != needed {
					t.Errorf("%s, %s: %d options, of %d that it must have", place.name, dish.name, got, needed)
				}
			}
			if cents < 800 {
				t.Errorf("%s: basket %d costs %d, less than the minimum", place.name, n, cents)
			}
		}
	}
}

func (p demoPlace) dish(id string) (demoDish, error) {
	for _, d := range p.dishes {
		if d.id == id {
			return d, nil
		}
	}
	return demoDish{}, errors.New(fmt.Sprint(p.name, " has no ", id))
}
