package modules

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kerf/platform/config"
)

// requests are the operations that a module's code makes requests for, by the module that it asks.
func requests(t *testing.T, module string) map[string][]string {
	t.Helper()
	request := regexp.MustCompile(`&(\w+)api\.(\w+)Request\{`)
	found := map[string]map[string]bool{}
	for _, pattern := range []string{"*.go", "internal/*.go", "internal/*/*.go"} {
		files, err := filepath.Glob(filepath.Join(module, pattern))
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			if strings.HasSuffix(file, "_test.go") {
				continue
			}
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, match := range request.FindAllStringSubmatch(string(text), -1) {
				if owner, operation := match[1], match[2]; owner != module {
					if found[owner] == nil {
						found[owner] = map[string]bool{}
					}
					found[owner][operation] = true
				}
			}
		}
	}
	sorted := map[string][]string{}
	for owner, operations := range found {
		sorted[owner] = slices.Sorted(maps.Keys(operations))
	}
	return sorted
}

// TestModulesAskWhatTheyMay holds the table of calls, which decides who is served, against the requests that each module's code makes.
func TestModulesAskWhatTheyMay(t *testing.T) {
	for _, name := range Names {
		allowed := map[string][]string{}
		for owner, operations := range asks[name] {
			allowed[owner] = slices.Sorted(slices.Values(operations))
		}
		if diff := cmp.Diff(allowed, requests(t, name)); diff != "" {
			t.Errorf("%s may ask (-), and asks (+):\n%s", name, diff)
		}
	}
}

func TestRightsFollowTheTable(t *testing.T) {
	for _, c := range []struct {
		callers           []string
		module, operation string
		want              bool
	}{
		{[]string{"orders"}, "kitchen", "CreateTicket", true},
		{[]string{"tracking", "orders"}, "kitchen", "CreateTicket", true},
		{[]string{"notifications"}, "kitchen", "CreateTicket", false},
		{[]string{"gateway"}, "kitchen", "CreateTicket", false},
		{[]string{"gateway"}, "kitchen", "GetTicket", true},
		{[]string{"gateway"}, "notifications", "Audit", true},
		{[]string{"gateway"}, "notifications", "ReadLog", false},
		{[]string{"tracking"}, "kitchen", "ReadLog", true},
		{[]string{"tracking"}, "consumers", "ReadLog", false},
		{nil, "kitchen", "GetTicket", false},
	} {
		if got := mayCall(c.callers, c.module, c.operation); got != c.want {
			t.Errorf("mayCall(%v, %s, %s) = %v", c.callers, c.module, c.operation, got)
		}
	}
}

func TestThePlanTellsWhatRunsWhere(t *testing.T) {
	cfg := config.Default()
	cfg.Modules = []string{"kitchen", "delivery"}
	cfg.Remotes = map[string][]string{"orders": {"127.0.0.1:9093", "127.0.0.1:9094"}}
	cfg.Bus = config.Bus{Driver: "kafka", Format: "json", Brokers: []string{"127.0.0.1:9092"}}
	cfg.Database.Modules = map[string]config.Schema{"kitchen": {Driver: "postgres", DSN: "postgres://kitchen:secret@db.example:5432/kerf"}}
	var out strings.Builder
	if err := WritePlan(&out, cfg); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`(?m)^events +kafka at 127\.0\.0\.1:9092, json$`,
		`(?m)^kitchen +here +postgres, schema kitchen at db\.example:5432 +– +delivery$`,
		`(?m)^delivery +here +\S+delivery\.db +– +kitchen$`,
		`(?m)^orders +127\.0\.0\.1:9093, 127\.0\.0\.1:9094 +– `,
		`(?m)^tracking +elsewhere `,
		`(?m)^  subgraph p\d \["127\.0\.0\.1:9093, 127\.0\.0\.1:9094"\]$`,
		`(?m)^  orders -->\|"D calls U: 7, grpc"\| kitchen$`,
		`(?m)^  kitchen -\.->\|"U tells D, kafka"\| tracking$`,
	} {
		if !regexp.MustCompile(want).MatchString(out.String()) {
			t.Errorf("no %s in:\n%s", want, out.String())
		}
	}
	if strings.Contains(out.String(), "secret") {
		t.Errorf("the plan tells a password:\n%s", out.String())
	}
	if strings.Contains(out.String(), "edge") {
		t.Errorf("the plan has an edge without a gateway:\n%s", out.String())
	}
}
