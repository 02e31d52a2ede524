package modules

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"kerf/platform/config"
)

// TestThePlanNamesTheCallsThatModulesMake holds the table of calls against the requests that each module's code makes.
func TestThePlanNamesTheCallsThatModulesMake(t *testing.T) {
	request := regexp.MustCompile(`&(\w+)api\.\w+Request\{`)
	for _, name := range Names {
		found := map[string]bool{}
		for _, pattern := range []string{"*.go", "internal/*.go", "internal/*/*.go"} {
			files, err := filepath.Glob(filepath.Join(name, pattern))
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
					if match[1] != name {
						found[match[1]] = true
					}
				}
			}
		}
		for _, called := range asks[name] {
			if !found[called] {
				t.Errorf("%s makes no request to %s, as the plan says", name, called)
			}
			delete(found, called)
		}
		for called := range found {
			t.Errorf("%s makes requests to %s, and the plan does not say so", name, called)
		}
	}
}

func TestThePlanTellsWhatIsWired(t *testing.T) {
	var out strings.Builder
	cfg := config.Default()
	if err := WritePlan(&out, cfg); err != nil {
		t.Fatal(err)
	}
	for _, name := range Names {
		if !strings.Contains(out.String(), "\n"+name+" ") {
			t.Errorf("%s is missing in:\n%s", name, out.String())
		}
	}
	if !slices.ContainsFunc(strings.Split(out.String(), "\n"), func(line string) bool {
		return strings.HasPrefix(line, "tracking ") && strings.Contains(line, "orders") && strings.Contains(line, "kitchen")
	}) {
		t.Errorf("tracking hears orders and kitchen:\n%s", out.String())
	}
}
