package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Every file that is ready-made can work, and says what it shows.
func TestReadyMadeTopologies(t *testing.T) {
	for name, want := range map[string]struct {
		processes int
		text      []string
	}{
		"monolith":             {1, []string{"sqlite", "memory"}},
		"monolith-kafka":       {1, []string{"server kfake", "sqlite"}},
		"halves":               {2, []string{"server kfake", "mutual TLS"}},
		"orders-apart":         {2, []string{"server kfake", "mutual TLS"}},
		"split":                {9, []string{"server kfake", "sqlite", "mutual TLS"}},
		"split-kafka-postgres": {9, []string{"server kafka", "server postgres", "postgres"}},
		"replicas":             {18, []string{"server postgres", "postgres", "gateway-2"}},
		"servers":              {0, []string{"server kafka", "server rabbitmq", "server postgres"}},
	} {
		content, err := os.ReadFile(readyMade(name))
		if err != nil || !strings.HasPrefix(string(content), "# ") {
			t.Errorf("%s does not begin with what it shows: %v", name, err)
		}
		var plan bytes.Buffer
		if err := writePlan(t.Context(), &plan, options{config: readyMade(name), data: "/data"}); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		for _, text := range want.text {
			if !strings.Contains(plan.String(), text) {
				t.Errorf("%s: no %q in\n%s", name, text, plan.String())
			}
		}
		if got := strings.Count(plan.String(), "a free port"); got < want.processes {
			t.Errorf("%s: %d processes in\n%s", name, got, plan.String())
		}
		if drawn := strings.Contains(plan.String(), "```mermaid"); drawn != (want.processes > 0) {
			t.Errorf("%s: map drawn: %v", name, drawn)
		}
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "deploy", "topologies", "*.yaml"))
	if err != nil || len(files) != 8 {
		t.Errorf("ready-made are %v, %v", files, err)
	}
}

func TestKfakeStandsInForKafka(t *testing.T) {
	var plan bytes.Buffer
	if err := writePlan(t.Context(), &plan, options{config: readyMade("split-kafka-postgres"), data: "/data", kfake: true}); err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(plan.String(), "server kfake") || strings.Contains(plan.String(), "server kafka") {
		t.Error(plan.String())
	}
}
