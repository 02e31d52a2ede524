package stand_test

import (
	"context"
	"errors"
	"maps"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerf/benchmarks/stand"
	"kerf/benchmarks/usage"
	"kerf/cmd/topology/servers"
)

func TestLabATopologyIsStartedAsAskedAndLeavesNothing(t *testing.T) {
	t.Setenv("KERF_BUS_DRIVER", "carrier-pigeon") // would be another configuration
	s := start(t, stand.Config{
		Topology:  topology(t, "processes: {kerf: {modules: all, config: {log: {level: debug}}}}\n"),
		Overrides: map[string]any{"log.level": "warn", "calls.attempts": 2},
		Env:       []string{"GOMAXPROCS=1", "GOGC=77"},
		Speed:     60,
	})
	if err := answers(t, s.URL()); err != nil {
		t.Error(err)
	}
	now, err := s.Status()
	if err != nil || len(now.Processes) != 1 {
		t.Fatalf("%+v, %v", now, err)
	}

	t.Run("overrides stand in the configuration that took effect, also over a process's own", func(t *testing.T) {
		content, err := os.ReadFile(now.Processes[0].Config)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range []string{"level: warn", "attempts: 2"} {
			if !strings.Contains(string(content), want) {
				t.Errorf("no %s in:\n%s", want, content)
			}
		}
	})
	t.Run("facts are those of the processes", func(t *testing.T) {
		facts := s.Facts()
		for name, want := range map[string]string{
			"log level": "warn", "log format": "json", "traces": "off", "bus": "memory, within the process", "database": "SQLite, a file for each module",
			"GOMAXPROCS": "1", "GOGC": "77", "GOMEMLIMIT": "none", "domain time": "60 times the wall's", "processes": "1",
			"calls between processes": "none, there is one process", "bus format": "", "pools": "one writer and 4 readers for each module",
		} {
			if facts[name] != want {
				t.Errorf("%s: %q, want %q", name, facts[name], want)
			}
		}
		if !strings.Contains(facts["fsync of the database"], "synchronous=FULL") {
			t.Errorf("fsync: %v", facts)
		}
	})
	t.Run("its processes are watched by the parts they play", func(t *testing.T) {
		w, err := s.Watch()
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Begin(); err != nil {
			t.Fatal(err)
		}
		_ = answers(t, s.URL())
		window, err := w.End()
		if err != nil {
			t.Fatal(err)
		}
		roles := map[usage.Role]int{}
		for _, p := range window.Processes {
			roles[p.Role]++
			if p.PSS == 0 || p.Threads == 0 {
				t.Errorf("%+v", p)
			}
		}
		if roles[usage.Modules] != 1 || roles[usage.Launcher] != 1 || roles[usage.Generator] != 1 || len(roles) != 3 {
			t.Errorf("%+v", window.Processes)
		}
	})

	tree := usage.Tree(now.PID)
	if len(tree) < 2 {
		t.Errorf("%d processes", len(tree))
	}
	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}
	gone(t, tree)
	if err := s.Stop(t.Context()); err != nil {
		t.Errorf("again: %v", err)
	}
	select {
	case <-s.Ended():
	default:
		t.Error("it has not ended")
	}
}

func TestLabWhatDiesIsWaitedFor(t *testing.T) {
	s := start(t, stand.Config{Topology: readyMade("halves")})
	before, err := s.Status()
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.Watch()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Begin(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	for _, name := range []string{"back", "kfake"} {
		killed, err := s.Kill(name)
		if err != nil {
			t.Fatal(err)
		}

		back, err := s.Ready(ctx, name)

		if err != nil || !back.After(killed) {
			t.Fatalf("%s: killed at %v, ready at %v, %v", name, killed, back, err)
		}
	}
	window, err := w.End()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range window.Processes {
		was := map[string]int{"back": before.Processes[1].PID, "front": before.Processes[0].PID, "kfake": before.Servers[0].PID}[p.Name]
		if p.PID == was && p.Name != "front" || p.PSS == 0 {
			t.Errorf("was %d: %+v", was, p)
		}
	}
	if facts := s.Facts(); facts["calls between processes"] != "grpc" || facts["TLS between processes"] != "mutual, TLS 1.3" || facts["bus format"] != "protobuf" {
		t.Errorf("%v", facts)
	}
	if at, err := s.Ready(ctx, "front"); err != nil || at.After(time.Now()) {
		t.Errorf("one that was ready all the time: %v", err)
	}
	if _, err := s.Kill("middle"); err == nil || !strings.Contains(err.Error(), `no process and no server "middle"`) {
		t.Errorf("error = %v", err)
	}
	canceled, cancel := context.WithCancel(ctx)
	cancel()
	if _, err := s.Kill("back"); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Ready(canceled, "back"); !errors.Is(err, context.Canceled) {
		t.Errorf("error = %v", err)
	}
}

func TestLabWhatIsPausedDoesNothingAndIsStoppedAllTheSame(t *testing.T) {
	s := start(t, stand.Config{Topology: readyMade("monolith")})
	if _, err := s.Resume("kerf"); err == nil {
		t.Error("what was not paused goes on")
	}
	if _, err := s.Pause("kerf"); err != nil {
		t.Fatal(err)
	}
	if err := answers(t, s.URL()); err == nil {
		t.Error("it answers though it is paused")
	}
	if _, err := s.Resume("kerf"); err != nil {
		t.Fatal(err)
	}
	if err := answers(t, s.URL()); err != nil {
		t.Error(err)
	}
	if _, err := s.Pause("kerf"); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	if err := s.Stop(t.Context()); err != nil || time.Since(began) > limit {
		t.Errorf("%v after %v", err, time.Since(began))
	}
}

func TestLabWhatCannotBeStartedSaysWhyInOneLine(t *testing.T) {
	unknown := topology(t, "# mine\nservers: [kfake]\nprocesses:\n  kerf: {modules: [orders, kitchn]}\n")
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer taken.Close()
	occupied := topology(t, "processes: {kerf: {modules: all}}\nconfig: {internal: {listen: '"+taken.Addr().String()+"'}}\n")
	never := topology(t, "processes: {kerf: {modules: all}}\nconfig: {bus: {driver: kafka, brokers: ['127.0.0.1:1']}}\n")
	for name, c := range map[string]struct {
		config stand.Config
		want   []string
	}{
		"no such file":    {stand.Config{Topology: "none.yaml"}, []string{"none.yaml", "no such file"}},
		"no YAML":         {stand.Config{Topology: topology(t, "processes: [")}, []string{"mine.yaml: line 1"}},
		"unknown modules": {stand.Config{Topology: unknown, Overrides: map[string]any{"log.level": "warn"}}, []string{unknown + ":4", "there is no module kitchn", "is placed nowhere"}},
		"unknown key":     {stand.Config{Topology: readyMade("monolith"), Overrides: map[string]any{"log.lvel": "warn"}}, []string{"log.lvel"}},
		"dies at once":    {stand.Config{Topology: occupied}, []string{"kerf cannot run", taken.Addr().String()}},
		"is never ready":  {stand.Config{Topology: never, Startup: time.Second}, []string{"it is not ready after 1s: kerf is"}},
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			s, err := tryStart(t, c.config)
			if err == nil {
				_ = s.Stop(t.Context())
				t.Fatal("it started")
			}
			if strings.Contains(err.Error(), "\n") || time.Since(began) > limit {
				t.Errorf("after %v: %v", time.Since(began), err)
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("no %q in: %v", want, err)
				}
			}
		})
	}
}

func TestLabAServerThatIsMissingIsNamed(t *testing.T) {
	t.Setenv("KAFKA_HOME", filepath.Join(t.TempDir(), "nothing"))
	file := topology(t, "servers: [kafka]\nprocesses: {kerf: {modules: all}}\n")

	_, err := tryStart(t, stand.Config{Topology: file})

	if err == nil || strings.Contains(err.Error(), "\n") || !strings.Contains(err.Error(), "kafka is not here") || !strings.Contains(err.Error(), "deploy/kafka/fetch") {
		t.Errorf("error = %v", err)
	}
	for _, s := range stand.Servers(t.Context(), "") {
		if s.Name == servers.Kafka && (s.Version != "" || !strings.Contains(s.Missing, "kafka is not here")) {
			t.Errorf("%+v", s)
		}
	}
	s := start(t, stand.Config{Topology: file, Kfake: true}) // stands in
	if got := s.Facts()["bus"]; !strings.Contains(got, "kfake") {
		t.Errorf("bus: %q", got)
	}
}

func TestLabServersMayStandAlone(t *testing.T) {
	s := start(t, stand.Config{Topology: topology(t, "servers: [kfake]\n")})
	groups, err := s.Groups()
	if err != nil || len(groups) != 3 || groups[0].Role != usage.Broker {
		t.Errorf("%+v, %v", groups, err)
	}
	if s.URL() != "" {
		t.Errorf("it serves the public at %s", s.URL())
	}
}

func TestLabAStartThatIsCutShortLeavesNothing(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	enough := errors.New("enough")
	cancel(enough)
	path, err := launcher()
	if err != nil {
		t.Fatal(err)
	}
	before := len(usage.Tree(os.Getpid()))

	_, err = stand.Start(ctx, stand.Config{Launcher: path, Topology: readyMade("monolith"), Dir: t.TempDir()})

	if !errors.Is(err, enough) {
		t.Errorf("error = %v", err)
	}
	if after := len(usage.Tree(os.Getpid())); after != before {
		t.Errorf("%d processes, %d before", after, before)
	}
}

func TestLabTheServersOfAnInstallationAreWatchedAndEnd(t *testing.T) {
	named := []string{servers.Postgres}
	if os.Getenv("KERF_TEST_FULL") != "" {
		named = append(named, servers.RabbitMQ) // takes its time
	}
	for _, name := range named {
		if err := servers.Check(name); err != nil {
			t.Skip(err)
		}
	}
	s := start(t, stand.Config{Topology: topology(t, "servers: ["+strings.Join(named, ", ")+"]\nprocesses: {kerf: {modules: all}}\n")})
	now, err := s.Status()
	if err != nil {
		t.Fatal(err)
	}
	tree := usage.Tree(now.PID)
	groups, err := s.Groups()
	if err != nil {
		t.Fatal(err)
	}
	roles := map[string]usage.Role{}
	for _, g := range groups {
		roles[g.Name] = g.Role
	}
	want := map[string]usage.Role{"kerf": usage.Modules, "postgres": usage.Database, "topology": usage.Launcher, "generator": usage.Generator}
	wanted := map[string]string{"fsync of the database": "fsync=on, synchronous_commit=on", "bus": "memory"}
	if len(named) > 1 {
		want["rabbitmq"], want["epmd"] = usage.Broker, usage.Broker
		wanted["fsync of the broker"], wanted["bus"] = "publisher confirms", "RabbitMQ"
	}
	if !maps.Equal(roles, want) {
		t.Errorf("%v, want %v", roles, want)
	}
	if len(tree) < len(groups)+8 { // PostgreSQL alone has a process for each connection
		t.Errorf("%d processes, %d groups", len(tree), len(groups))
	}
	facts := s.Facts()
	for name, want := range wanted {
		if !strings.Contains(facts[name], want) {
			t.Errorf("%s: %q", name, facts[name])
		}
	}
	for _, name := range named {
		if _, err := s.Pause(name); err != nil {
			t.Fatal(err)
		}
	}

	if err := s.Stop(t.Context()); err != nil {
		t.Error(err)
	}

	gone(t, tree)
}

// answers asks the public API something.
func answers(t *testing.T, url string) error {
	t.Helper()
	client := http.Client{Timeout: time.Second}
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url+"/v1/clock", http.NoBody)
	if err != nil {
		t.Fatal(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return errors.New(response.Status)
	}
	return nil
}

// gone fails if a process is left.
func gone(t *testing.T, all []usage.ID) {
	t.Helper()
	for _, id := range all {
		if id.Alive() {
			t.Errorf("process %d is left", id.PID)
		}
	}
}
