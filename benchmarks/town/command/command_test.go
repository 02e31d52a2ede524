package command

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"kerf/cmd/simulate/day"
	"kerf/modules"
	"kerf/platform/config"
	"kerf/platform/process"
)

// startKerf serves from a folder of its own in this process, at a speed, until the test ends, and returns the address.
func startKerf(t *testing.T, speed float64) string {
	t.Helper()
	cfg := config.Default()
	cfg.Listen, cfg.Data, cfg.Speed, cfg.Demo, cfg.Log.Level = "127.0.0.1:0", t.TempDir(), speed, false, "error"
	cfg.Database.Dir = cfg.Data
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	out, in := io.Pipe()
	var journal bytes.Buffer
	ended := make(chan error, 1)
	go func() {
		err := modules.Serve(ctx, cfg, modules.Options{Version: "test", Stdout: in, Stderr: &journal})
		in.CloseWithError(errors.Join(err, io.EOF))
		ended <- err
	}()
	t.Cleanup(sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server failed: %v\n%s", err, journal.String())
		}
	}))
	var url string
	if _, err := fmt.Fscanf(out, "ready %s\n", &url); err != nil {
		t.Fatalf("the server did not become ready: %v", err)
	}
	return url
}

// result is what the command said and how it would exit.
type result struct {
	stdout, stderr string
	err            error
	status         int
}

func runWith(ctx context.Context, args ...string) result {
	var stdout, stderr bytes.Buffer
	err := Run(ctx, args, &stdout, &stderr)
	return result{stdout.String(), stderr.String(), err, process.ExitStatus(err)}
}

func reportIn(t *testing.T, file string) (report Report) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &report); err != nil {
		t.Fatal(err)
	}
	return report
}

func TestALoadIsDrivenAndTold(t *testing.T) {
	url, file := startKerf(t, 60), filepath.Join(t.TempDir(), "load.json")
	r := runWith(t.Context(), "-target", url, "-rate", "15", "-for", "1s", "-warmup", "200ms", "-poll", "50ms", "-diners", "8", "-restaurants", "2",
		"-couriers", "8", "-json", file)
	if r.err != nil {
		t.Fatalf("%v\n%s%s", r.err, r.stdout, r.stderr)
	}
	report := reportIn(t, file)
	if report.Schema != Schema || report.Target != url || report.Mix != "standard" || report.RateAsked != 15 || report.ServerSpeed != 60 {
		t.Errorf("reported %+v", report)
	}
	if report.Completed == 0 || report.Completed+report.Failed+report.Missed != report.Arrivals || report.GeneratorCPU <= 0 || len(report.Violations) < 10 {
		t.Errorf("measured %+v", report)
	}
	for _, line := range []string{"place", "→ approved", "dropoff", "lateness", "invariants  hold", "ms of CPU for each of"} {
		if !strings.Contains(r.stdout, line) {
			t.Errorf("%q is not told:\n%s", line, r.stdout)
		}
	}

	// Another load on the same server finds couriers, because those of the first have gone home. It repeats a day.
	dir := t.TempDir()
	d := day.Small(1)
	d.Orders = d.Orders[:5]
	if err := d.Write(dir); err != nil {
		t.Fatal(err)
	}
	r = runWith(t.Context(), "-target", url, "-instance", dir, "-speed", "3600", "-poll", "50ms", "-diners", "4", "-restaurants", "1", "-couriers", "4",
		"-json", file)
	if r.err != nil {
		t.Fatalf("%v\n%s%s", r.err, r.stdout, r.stderr)
	}
	if report := reportIn(t, file); report.Arrivals < 4 || report.Completed != report.Arrivals { // the last arrives as the window ends
		t.Errorf("of the day's 5 orders, %d began and %d ended well", report.Arrivals, report.Completed)
	}
}

func TestAClosedLoopIsDriven(t *testing.T) {
	url, file := startKerf(t, 1), filepath.Join(t.TempDir(), "load.json")
	r := runWith(t.Context(), "-target", url, "-closed", "4", "-mix", "ordering", "-for", "500ms", "-warmup", "100ms", "-diners", "8", "-couriers", "1",
		"-json", file)
	if r.err != nil {
		t.Fatalf("%v\n%s%s", r.err, r.stdout, r.stderr)
	}
	if report := reportIn(t, file); report.Completed == 0 || report.Failed > 0 || !strings.Contains(report.Loop, "4 clients") {
		t.Errorf("measured %+v", report)
	}
	r = runWith(t.Context(), "-target", url, "-mix", "ordering", "-for", "50ms", "-warmup", "0s", "-rate", "0.001", "-diners", "1", "-couriers", "1")
	if r.status != process.Failed || !strings.Contains(r.err.Error(), "no journey came to its end") {
		t.Errorf("a load in which nobody came: %v", r.err)
	}
}

func TestALoadThatIsCutShortKeepsWhatItHas(t *testing.T) {
	backend, err := url.Parse(startKerf(t, 1))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	var looks atomic.Int32
	proxy := httptest.NewServer(&httputil.ReverseProxy{FlushInterval: -1, Rewrite: func(r *httputil.ProxyRequest) {
		r.SetURL(backend)
		if strings.HasSuffix(r.In.URL.Path, "/menu") && looks.Add(1) == 20 { // when some journeys have ended
			cancel(errors.New("signal: interrupt"))
		}
	}, ErrorHandler: func(http.ResponseWriter, *http.Request, error) {}})
	t.Cleanup(proxy.Close)
	file := filepath.Join(t.TempDir(), "load.json")
	r := runWith(ctx, "-target", proxy.URL, "-mix", "browsing", "-rate", "50", "-for", "1h", "-warmup", "0s", "-diners", "2", "-couriers", "1", "-json", file)
	if r.status != process.Failed || !strings.Contains(r.err.Error(), "cut short: signal: interrupt") {
		t.Errorf("ended with %v", r.err)
	}
	if report := reportIn(t, file); !report.CutShort || report.Completed == 0 || report.Violations != nil {
		t.Errorf("kept %+v", report)
	}
	if !strings.Contains(r.stdout, "CUT SHORT") || !strings.Contains(r.stdout, "not checked") {
		t.Errorf("told:\n%s", r.stdout)
	}
}

func TestWhatCannotBeLoadedIsToldInOneLine(t *testing.T) {
	clockAt := func(speed string) string {
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/v1/clock" {
				_, _ = io.WriteString(w, `{"now":"2026-01-02T03:04:05Z","speed":`+speed+`,"segments":[]}`)
				return
			}
			http.NotFound(w, r)
		}))
		t.Cleanup(s.Close)
		return s.URL
	}
	nobody := httptest.NewServer(nil)
	nobody.Close()
	for name, c := range map[string]struct {
		args   []string
		status int
		told   string
	}{
		"nobody listens":    {[]string{"-target", nobody.URL}, process.Failed, "does not answer as a Kerf does"},
		"no tokens":         {[]string{"-target", clockAt("1")}, process.Failed, "grants no tokens"},
		"another flag":      {[]string{"-rat", "1"}, process.Misuse, "flag provided but not defined: -rat"},
		"no number":         {[]string{"-rate", "x"}, process.Misuse, "invalid value \"x\""},
		"an argument":       {[]string{"now"}, process.Misuse, `"now" is no flag`},
		"another mix":       {[]string{"-mix", "eating"}, process.Misuse, "standard, ordering, browsing"},
		"no rate":           {[]string{"-rate", "0"}, process.Misuse, "must be positive"},
		"no time":           {[]string{"-for", "-1s"}, process.Misuse, "durations"},
		"nobody in town":    {[]string{"-diners", "0"}, process.Misuse, "must be positive"},
		"open and closed":   {[]string{"-rate", "3", "-closed", "2"}, process.Misuse, "closed loop"},
		"a day with a rate": {[]string{"-instance", "small", "-rate", "2"}, process.Misuse, "its own rate"},
		"speed of nothing":  {[]string{"-speed", "2"}, process.Misuse, "-instance"},
		"no such day":       {[]string{"-instance", t.TempDir()}, process.Misuse, "has no"},
		"no such file":      {[]string{"-json", filepath.Join(t.TempDir(), "no", "file")}, process.Misuse, "no such file"},
		"no certificates":   {[]string{"-ca", os.DevNull}, process.Misuse, "no certificate"},
	} {
		r := runWith(t.Context(), c.args...)
		if r.status != c.status || r.err == nil || !strings.Contains(r.err.Error(), c.told) || strings.Contains(r.err.Error(), "\n") || r.stdout != "" || c.status == process.Misuse && r.stderr != "" {
			t.Errorf("%s: %d, %v, told %q %q", name, r.status, r.err, r.stdout, r.stderr)
		}
	}
	r := runWith(t.Context(), "-h")
	if r.status != process.OK || !strings.Contains(r.stderr, "-instance") {
		t.Errorf("-h ends with %d and tells %q", r.status, r.stderr)
	}
}

func TestAServerThatIsTooFastIsRefused(t *testing.T) {
	r := runWith(t.Context(), "-target", startKerf(t, 3600), "-diners", "1", "-restaurants", "1", "-couriers", "1")
	if r.status != process.Misuse || !strings.Contains(r.err.Error(), "speed 3600") {
		t.Errorf("ended with %v", r.err)
	}
}

func TestViolationsAreTold(t *testing.T) {
	report := Report{Violations: map[string]int{"I1": 2, "I5": 0}, Told: []string{"I1: order x was acknowledged and does not exist"}, Errors: map[string]int64{"place: 503": 4}}
	var text bytes.Buffer
	if err := report.print(&text); err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"I1 is violated 2 times", "order x was acknowledged", "4 × place: 503"} {
		if !strings.Contains(text.String(), line) {
			t.Errorf("%q is not told:\n%s", line, text.String())
		}
	}
	if strings.Contains(text.String(), "invariants  hold") {
		t.Error("what is violated does not hold")
	}
}
