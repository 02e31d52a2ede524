package modules_test

import (
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// TestNoPackageReachesAcrossASeam reads the imports of every Go file of the project and fails for each that crosses a boundary.
func TestNoPackageReachesAcrossASeam(t *testing.T) {
	for _, v := range violations(t, "..") {
		t.Error(v)
	}
}

// TestPlantedViolationsAreCaught runs the same reading over a small tree in which every rule is broken once: a guard that
// never bites guards nothing.
func TestPlantedViolationsAreCaught(t *testing.T) {
	got := map[string]bool{}
	for _, v := range violations(t, "testdata/planted") {
		got[v.file] = true
	}
	for _, file := range []string{
		"platform/bus/reaches_up.go",
		"modules/orders/ordersapi/no_leaf.go",
		"modules/orders/internal/foreign_constructor.go",
		"modules/orders/internal/foreign_internal.go",
		"modules/orders/internal/saga.go",
		"cmd/tool/reaches_in.go",
		"main.go",
	} {
		if !got[file] {
			t.Errorf("the planted violation in %s was not caught", file)
		}
		delete(got, file)
	}
	for file := range got {
		t.Errorf("%s breaks no rule, and was reported", file)
	}
}

type violation struct{ file, imports, rule string }

func (v violation) String() string { return v.file + " imports " + v.imports + ": " + v.rule }

// violations lists every import under root that crosses a boundary. Test files may reach further and are not read.
func violations(t *testing.T, root string) []violation {
	t.Helper()
	var found []violation
	err := filepath.WalkDir(root, func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if base := entry.Name(); name != root && (base == "testdata" || strings.HasPrefix(base, ".") && base != "..") {
				return filepath.SkipDir
			}
			return nil
		}
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(root, name)
		if err != nil {
			return err
		}
		rel = filepath.ToSlash(rel)
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			if rule := broken(rel, imported); rule != "" {
				found = append(found, violation{rel, imported, rule})
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// domain are the files that hold what a module knows of its business: machines, rules and arithmetic, and no library that they would have to
// change for.
var domain = map[string]bool{
	"consumers/consumer": true, "restaurants/restaurant": true, "restaurants/hours": true, "restaurants/menu": true,
	"restaurants/pricing": true, "restaurants/settings": true, "orders/order": true, "orders/saga": true, "orders/state": true,
	"kitchen/ticket": true, "kitchen/transitions": true, "delivery/courier": true, "delivery/delivery": true, "delivery/dispatch": true,
	"delivery/eta": true, "delivery/transitions": true, "accounting/ledger": true, "accounting/payment": true,
	"accounting/transitions": true, "tracking/fold": true,
}

// broken names the rule that a file breaks by an import, or "".
func broken(file, imported string) string {
	if parts := strings.Split(strings.TrimSuffix(file, ".go"), "/"); len(parts) == 4 && parts[0] == "modules" && parts[2] == "internal" &&
		domain[parts[1]+"/"+parts[3]] {
		for _, library := range []string{"github.com/labstack/echo", "gorm.io/", "github.com/ThreeDotsLabs/watermill", "net/http"} {
			if strings.HasPrefix(imported, library) {
				return "a domain file knows neither edge, database nor bus"
			}
		}
	}
	own, ok := strings.CutPrefix(imported, "kerf/")
	if !ok {
		return ""
	}
	dir := path.Dir(file)
	to := strings.Split(own, "/")
	from := strings.Split(dir, "/")
	switch {
	case from[0] == "platform" && to[0] != "platform" && to[0] != "migrations":
		return "the platform knows no module"
	case isContract(from) && to[0] != "platform" && (!isContract(to) || to[1] != from[1]):
		return "a contract is a leaf: it imports no module"
	case from[0] == "modules" && len(from) > 1 && to[0] == "modules" && len(to) == 1:
		return "no module knows the wiring"
	case from[0] == "modules" && len(from) > 1 && to[0] == "modules" && to[1] != from[1] && !isContract(to):
		return "a module knows another only by its contract"
	case from[0] != "modules" && to[0] == "modules" && len(to) > 1 && !isContract(to):
		return "modules are built in modules/compose.go and nowhere else"
	}
	return ""
}

// isContract tells whether a path, split at its slashes, is modules/<name>/<name>api.
func isContract(parts []string) bool {
	return len(parts) == 3 && parts[0] == "modules" && parts[2] == parts[1]+"api"
}

// TestEveryDomainFileIsThere keeps the list above from guarding names that have gone.
func TestEveryDomainFileIsThere(t *testing.T) {
	for name := range domain {
		module, file, _ := strings.Cut(name, "/")
		if _, err := os.Stat(filepath.Join(module, "internal", file+".go")); err != nil {
			t.Error(err)
		}
	}
}
