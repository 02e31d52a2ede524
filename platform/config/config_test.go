package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kerf/platform/config"
)

func write(t testing.TB, content string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "kerf.yaml")
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

var kerf = config.Command{Name: "kerf", Defaults: config.Default()}

func load(args, env []string) (config.Config, error) { return config.Load(args, env, kerf) }

// problems loads and gives the problems, without the folder of the test's file.
func problems(t *testing.T, args, env []string) []string {
	t.Helper()
	_, err := load(args, env)
	var bad *config.Error
	if !errors.As(err, &bad) {
		t.Fatalf("error = %v", err)
	}
	for i := range bad.Problems {
		if at := strings.Index(bad.Problems[i], "kerf.yaml"); at >= 0 {
			start := strings.LastIndexAny(bad.Problems[i][:at], " (") + 1
			bad.Problems[i] = bad.Problems[i][:start] + bad.Problems[i][at:]
		}
	}
	return bad.Problems
}

func TestDefaultsNeedNothing(t *testing.T) {
	got, err := load(nil, []string{"PATH=/bin", "KERF_INSTANCES=elsewhere", "KERF_TEST_KAFKA=127.0.0.1:1", "KERF_SERVERS_DATA=x"})
	if err != nil {
		t.Fatal(err)
	}
	want := config.Default()
	want.Database.Dir, want.Identity.Keys = "data", "data/keys"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestLaterSourcesWin(t *testing.T) {
	path := write(t, `
listen: 127.0.0.1:1
data: from-file
speed: 60
drain: 3s
internal: {listen: "127.0.0.1:2"}
log:
  level: debug
modules: [all]
bus:
`)
	env := []string{"KERF_DATA=from-env", "KERF_SPEED=120", "KERF_INTERNAL_LISTEN=127.0.0.1:3", "KERF_DEMO=false", "KERF_DATABASE_DIR=", "KERF_IDENTITY_LOCAL_ISSUER=0"}

	got, err := load([]string{"-config", path, "-speed=600", "-internal", "127.0.0.1:4", "-plan"}, env)
	if err != nil {
		t.Fatal(err)
	}

	want := config.Default()
	want.Listen, want.Drain, want.Log.Level = "127.0.0.1:1", 3*time.Second, "debug"
	want.Data, want.Database.Dir, want.Demo, want.Identity.LocalIssuer = "from-env", "from-env", false, false
	want.Identity.Keys = "from-env/keys"
	want.Speed, want.Internal.Listen, want.Plan = 600, "127.0.0.1:4", true
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestFileMayBeNamedByTheEnvironment(t *testing.T) {
	got, err := load([]string{"-demo=false", "-version"}, []string{"KERF_CONFIG=" + write(t, "data: here")})
	if err != nil || got.Data != "here" || got.Demo || !got.Version {
		t.Errorf("config = %+v, %v", got, err)
	}
}

func TestEveryProblemIsReportedAtOnceWithItsKeyAndSource(t *testing.T) {
	path := write(t, `
listen: 8080
databse: {driver: sqlite}
bus: {driver: carrier-pigeon}
log: loud
drain: soon
modules: [kitchen]
telemetry: {sample: 2, endpoint: "localhost:4317"}
`)
	env := []string{"KERF_LISTE=x", "KERF_SPEED=fast", "KERF_DATABASE_DRIVER=oracle"}

	got := problems(t, []string{"-config", path, "-placement", "wired", "-demo=perhaps", "-data="}, env)

	want := []string{
		"kerf.yaml: databse.driver: no such key, did you mean database.driver?",
		"kerf.yaml: log: a section, with its keys below it",
		"KERF_LISTE: no such variable, did you mean KERF_LISTEN?",
		"speed (KERF_SPEED): is not a number",
		"demo (-demo): is not true or false",
		"drain (kerf.yaml): is not a duration such as 10s",
		"listen (kerf.yaml): want host:port",
		"placement (-placement): want local, checked or wire",
		"data (-data): is empty",
		"bus.driver (kerf.yaml): want memory, kafka or amqp",
		"database.driver (KERF_DATABASE_DRIVER): want sqlite or postgres",
		"telemetry.endpoint (kerf.yaml): want a URL such as http://127.0.0.1:4317",
		"telemetry.sample (kerf.yaml): want 0 to 1",
	}
	sorted := cmp.Transformer("sort", func(lines []string) map[string]bool {
		set := map[string]bool{}
		for _, l := range lines {
			set[l] = true
		}
		return set
	})
	if diff := cmp.Diff(want, got, sorted); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestBadArgumentsAreUsageErrors(t *testing.T) {
	for arg, want := range map[string]string{
		"-lisen=x":                 "did you mean -listen?",
		"serve":                    `argument "serve" is not a flag`,
		"-config=none":             "none: open none: no such file",
		"-speed=-1":                "speed (-speed): want 0 to 100000",
		"-speed=NaN":               "speed (-speed): want 0 to 100000",
		"-listen=:http":            "listen (-listen): want host:port",
		"-internal=127.0.0.1:8080": "internal.listen (-internal): is the address of listen",
	} {
		got := problems(t, []string{arg}, nil)
		if len(got) != 1 || !strings.Contains(got[0], want) {
			t.Errorf("%s: %q", arg, got)
		}
	}
	var usage interface{ Usage() bool }
	if _, err := load([]string{"-x"}, nil); !errors.As(err, &usage) || !usage.Usage() {
		t.Errorf("%v is not a usage error", err)
	}
}

func TestHelpExplainsEveryFlagAndKey(t *testing.T) {
	if _, err := load([]string{"-h"}, nil); err != flag.ErrHelp {
		t.Errorf("error = %v", err)
	}
	var help strings.Builder
	config.WriteUsage(&help, kerf)
	for _, want := range []string{"-config", "-speed", "-log-level", "database.driver", "KERF_IDENTITY_LOCAL_ISSUER", "127.0.0.1:8080"} {
		if !strings.Contains(help.String(), want) {
			t.Errorf("no %s in:\n%s", want, help.String())
		}
	}
}

func TestMessagesDoNotRepeatWhatAVariableHolds(t *testing.T) {
	const secret = "hunter2"
	var env []string
	for _, name := range []string{"SPEED", "DEMO", "DRAIN", "LISTEN", "PLACEMENT", "BUS_DRIVER", "LOG_LEVEL", "TELEMETRY_ENDPOINT", "MODULES", "PASSWORD"} {
		env = append(env, "KERF_"+name+"="+secret)
	}

	for _, problem := range problems(t, nil, env) {
		if strings.Contains(problem, secret) {
			t.Error(problem)
		}
	}
}

// Whatever a file holds, it is a configuration or an Error, never a panic.
func FuzzFile(f *testing.F) {
	f.Add("listen: 127.0.0.1:1\nbus: {driver: memory}\n")
	f.Add("modules: [1, {a: b}]\nspeed: [1]\ndrain: 5\ndemo: 1\nlog: []\n")
	f.Add("a: &a [*a]\n? [x]\n: y\n")
	f.Add("database.driver: sqlite\n\"\": 1\n.: 2\n")
	f.Fuzz(func(t *testing.T, content string) {
		_, err := load([]string{"-config", write(t, content)}, nil)
		var bad *config.Error
		if err != nil && !errors.As(err, &bad) {
			t.Errorf("error = %v", err)
		}
	})
}
