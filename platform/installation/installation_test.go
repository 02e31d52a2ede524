package installation_test

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"

	"kerf/migrations"
	"kerf/platform/database"
	"kerf/platform/installation"
)

// kitchenAndOrders is a process that has both modules, whose files are in its data folder.
func kitchenAndOrders(dir string) process {
	return process{data: dir, files: dir, placed: []string{"kitchen", "orders"}, whole: true}
}

// process is one start of a command.
type process struct {
	data, files       string
	placed, elsewhere []string
	whole, shared     bool
	id                string
	init, adopt       []string
	schema            func(module string) database.Config
	whileOpen         func(map[string]*database.DB)
}

// start runs the process until it is ready, and stops it.
func (p process) start(t *testing.T) error {
	t.Helper()
	schema := p.schema
	if schema == nil {
		schema = func(string) database.Config { return database.Config{Dir: p.files} }
	}
	log := slog.New(slog.DiscardHandler)
	inst, err := installation.Open(t.Context(), p.data, installation.Config{
		ID: p.id, Placed: p.placed, Elsewhere: p.elsewhere, Whole: p.whole || p.shared, Shared: p.shared, Init: p.init, Adopt: p.adopt, Schema: schema,
	}, log)
	if err != nil {
		return err
	}
	open := map[string]*database.DB{}
	defer func() {
		for _, db := range open {
			if err := db.Close(); err != nil {
				t.Error(err)
			}
		}
	}()
	for _, module := range p.placed {
		db, err := inst.Schema(t.Context(), module, migrations.FS, log, prometheus.NewRegistry())
		if err != nil {
			return err
		}
		open[module] = db
	}
	if p.whileOpen != nil {
		p.whileOpen(open)
	}
	return inst.Settle(t.Context())
}

func (p process) must(t *testing.T) {
	t.Helper()
	if err := p.start(t); err != nil {
		t.Fatal(err)
	}
}

// refused starts the process, which must end with a line for each of these modules, which says so.
func (p process) refused(t *testing.T, says string, modules ...string) {
	t.Helper()
	err := p.start(t)
	if err == nil {
		t.Fatalf("started, want that it is refused: %s", says)
	}
	for _, module := range modules {
		if !slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(line string) bool {
			return strings.Contains(line, module+": ") && strings.Contains(line, says)
		}) {
			t.Errorf("nothing of %q for %s in:\n%v", says, module, err)
		}
	}
}

func (p process) with(change func(*process)) process {
	change(&p)
	return p
}

func adopting(modules ...string) func(*process)  { return func(p *process) { p.adopt = modules } }
func beginning(modules ...string) func(*process) { return func(p *process) { p.init = modules } }

type record struct {
	ID      string           `json:"id"`
	Modules map[string]int64 `json:"modules"`
	Left    []string         `json:"left"`
}

func recordOf(t *testing.T, dir string) (r record) {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, "installation.json"))
	if err == nil {
		err = json.Unmarshal(data, &r)
	}
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// move moves a module's files; if asked, it leaves a copy behind.
func move(t *testing.T, module, from, to string, copied bool) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(from, module+".db*"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	if err := os.MkdirAll(to, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(to, filepath.Base(file)), data, 0o600)
		}
		if err == nil && !copied {
			err = os.Remove(file)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestAFreshFolderNeedsNoFlag(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "data")
	kitchenAndOrders(dir).must(t)
	first := recordOf(t, dir)
	if first.ID == "" || first.Modules["kitchen"] != 1 || first.Modules["orders"] != 1 {
		t.Errorf("record = %+v", first)
	}
	kitchenAndOrders(dir).must(t)
	if again := recordOf(t, dir); again.ID != first.ID || again.Modules["kitchen"] != 1 {
		t.Errorf("record = %+v", again)
	}
}

func TestAMissingFileIsNotReplacedByAnEmptyOne(t *testing.T) {
	dir := t.TempDir()
	kitchenAndOrders(dir).must(t)
	for _, module := range []string{"kitchen", "orders"} {
		move(t, module, dir, t.TempDir(), false)
	}

	kitchenAndOrders(dir).refused(t, "is missing", "kitchen", "orders")
	if files, _ := filepath.Glob(filepath.Join(dir, "*.db")); len(files) > 0 {
		t.Errorf("made %v", files)
	}

	kitchenAndOrders(dir).with(beginning("kitchen")).refused(t, "is missing", "orders")
	kitchenAndOrders(dir).with(beginning("kitchen", "orders")).must(t)
	kitchenAndOrders(dir).must(t)
	if got := recordOf(t, dir); got.Modules["kitchen"] != 2 {
		t.Errorf("record = %+v", got)
	}
}

// The kitchen leaves for a folder of its own and comes back, by its file. At each step, whoever has not got it is refused; and whoever has
// got only a copy, or only part of it.
func TestAModuleMovesToAnotherFolderAndBack(t *testing.T) {
	old, own := t.TempDir(), t.TempDir()
	whole := kitchenAndOrders(old)
	rest := process{data: old, files: old, placed: []string{"orders"}, elsewhere: []string{"kitchen"}}
	kitchen := process{data: own, files: own, placed: []string{"kitchen"}}
	whole.must(t)

	kitchen.refused(t, "move the schema there and say -adopt kitchen, or -init kitchen", "kitchen")
	move(t, "kitchen", old, own, true)
	kitchen.refused(t, "-adopt kitchen", "kitchen")
	kitchen.with(adopting("kitchen")).refused(t, "is a copy of "+filepath.Join(old, "kitchen.db")+", which is still there", "kitchen")
	whole.with(func(p *process) {
		p.whileOpen = func(map[string]*database.DB) {
			move(t, "kitchen", old, own, true)
			if err := os.Rename(filepath.Join(old, "kitchen.db"), filepath.Join(old, "gone.db")); err != nil {
				t.Fatal(err)
			}
			kitchen.with(adopting("kitchen")).refused(t, "is running: stop that first", "kitchen")
			if err := os.Rename(filepath.Join(old, "gone.db"), filepath.Join(old, "kitchen.db")); err != nil {
				t.Fatal(err)
			}
		}
	}).must(t)
	move(t, "kitchen", old, own, false)
	writeFile(t, filepath.Join(old, "kitchen.db-wal"), "the last transactions")
	kitchen.with(adopting("kitchen")).refused(t, "move "+filepath.Join(old, "kitchen.db-wal")+" too", "kitchen")
	writeFile(t, filepath.Join(old, "kitchen.db-wal"), "")
	kitchen.with(adopting("kitchen")).must(t)
	kitchen.must(t)
	rest.must(t)
	rest.must(t)
	whole.refused(t, "is missing", "kitchen")
	if a, b := recordOf(t, old), recordOf(t, own); a.ID != b.ID || b.Modules["kitchen"] != 2 || !slices.Equal(a.Left, []string{"kitchen"}) {
		t.Errorf("records: %+v and %+v", a, b)
	}

	move(t, "kitchen", own, old, true)
	whole.refused(t, "has moved on", "kitchen")
	whole.with(adopting("kitchen")).refused(t, "is a copy of "+filepath.Join(own, "kitchen.db")+", which is still there", "kitchen")
	move(t, "kitchen", own, old, false)
	whole.with(adopting("kitchen")).must(t)
	whole.must(t)
	kitchen.refused(t, "is missing", "kitchen")
	if got := recordOf(t, old); got.Modules["kitchen"] != 3 || len(got.Left) > 0 {
		t.Errorf("record = %+v", got)
	}
}

// A copy may have been somewhere else when the file moved.
func TestACopyThatTurnsUpLaterIsRefused(t *testing.T) {
	for name, shared := range map[string]bool{"in the folder that the module has left": false, "under one record": true} {
		t.Run(name, func(t *testing.T) {
			old, own, backup := t.TempDir(), t.TempDir(), t.TempDir()
			whole := kitchenAndOrders(old).with(func(p *process) { p.shared = shared })
			kitchen := process{data: own, files: own, placed: []string{"kitchen"}}
			says := "has answered elsewhere since"
			if shared {
				kitchen.data, kitchen.shared, says = old, true, "left behind, or an old one"
			}
			whole.must(t)
			move(t, "kitchen", old, backup, true)
			move(t, "kitchen", old, own, false)
			kitchen.with(adopting("kitchen")).must(t)
			if !shared {
				process{data: old, files: old, placed: []string{"orders"}, elsewhere: []string{"kitchen"}}.must(t)
			}

			move(t, "kitchen", backup, old, false)
			whole.refused(t, says, "kitchen")
			kitchen.must(t)
		})
	}
}

// What is at the place that a file came from is not always what it is a copy of.
func TestAFileIsAdoptedThoughThereIsAnotherOneWhereItWas(t *testing.T) {
	old, own := t.TempDir(), t.TempDir()
	kitchenAndOrders(old).must(t)
	move(t, "kitchen", old, own, false)
	kitchenAndOrders(old).with(beginning("kitchen")).must(t)
	kitchen := process{data: own, files: own, placed: []string{"kitchen"}}
	kitchen.with(adopting("kitchen")).must(t)
	kitchen.must(t)
}

func TestProcessesThatShareAFolderNeedNoFlag(t *testing.T) {
	dir := t.TempDir()
	kitchen := process{data: dir, files: dir, placed: []string{"kitchen"}, elsewhere: []string{"orders"}, shared: true}
	orders := process{data: dir, files: dir, placed: []string{"orders"}, elsewhere: []string{"kitchen"}, shared: true}
	for range 2 {
		var started sync.WaitGroup
		for _, p := range []process{kitchen, orders} {
			started.Go(func() {
				if err := p.start(t); err != nil {
					t.Error(err)
				}
			})
		}
		started.Wait()
	}
	kitchenAndOrders(dir).must(t) // as one process again
	kitchen.must(t)
	if got := recordOf(t, dir); len(got.Modules) != 2 || len(got.Left) > 0 {
		t.Errorf("record = %+v", got)
	}
}

func TestASchemaOfAnotherInstallationIsRefused(t *testing.T) {
	here, there := t.TempDir(), t.TempDir()
	kitchenAndOrders(here).must(t)
	kitchenAndOrders(there).must(t)
	move(t, "kitchen", there, here, false)

	kitchenAndOrders(here).refused(t, "belongs to the installation", "kitchen")
	kitchenAndOrders(here).with(adopting("kitchen")).refused(t, "belongs to the installation", "kitchen")
}

func TestALostRecordIsMadeAgainFromTheSchemas(t *testing.T) {
	dir := t.TempDir()
	kitchenAndOrders(dir).must(t)
	id := recordOf(t, dir).ID
	if err := os.Remove(filepath.Join(dir, "installation.json")); err != nil {
		t.Fatal(err)
	}

	kitchenAndOrders(dir).refused(t, "was not opened in this folder before", "kitchen", "orders")
	kitchenAndOrders(dir).with(adopting("kitchen", "orders")).must(t)
	kitchenAndOrders(dir).must(t)
	if got := recordOf(t, dir); got.ID != id || got.Modules["orders"] != 2 {
		t.Errorf("record = %+v", got)
	}
}

func TestTheIDMayBeGiven(t *testing.T) {
	dir := t.TempDir()
	part := process{data: dir, files: dir, placed: []string{"kitchen"}, id: "north-1", init: []string{"kitchen"}}
	part.must(t)
	if got := recordOf(t, dir); got.ID != "north-1" {
		t.Errorf("record = %+v", got)
	}
	part.with(func(p *process) { p.id = "" }).must(t)
	if err := part.with(func(p *process) { p.id = "south-1" }).start(t); err == nil || !strings.Contains(err.Error(), "is of north-1, not of south-1") {
		t.Errorf("error = %v", err)
	}

	other := t.TempDir()
	move(t, "kitchen", dir, other, false)
	process{data: other, files: other, placed: []string{"kitchen"}, id: "south-1", adopt: []string{"kitchen"}}.
		refused(t, "belongs to the installation north-1", "kitchen")
}

func TestACrashBetweenTheWritesLeavesWhatTheNextStartTakesUp(t *testing.T) {
	t.Run("made, and not yet recorded", func(t *testing.T) {
		dir := t.TempDir()
		kitchenAndOrders(dir).must(t)
		r := recordOf(t, dir)
		delete(r.Modules, "kitchen")
		writeRecord(t, dir, r)
		kitchenAndOrders(dir).must(t)
	})
	t.Run("the id was kept, and nothing made", func(t *testing.T) {
		dir := t.TempDir()
		writeRecord(t, dir, record{ID: "here", Modules: map[string]int64{}})
		kitchenAndOrders(dir).must(t)
		if got := recordOf(t, dir); got.ID != "here" {
			t.Errorf("record = %+v", got)
		}
	})
	t.Run("migrated, and not yet bound", func(t *testing.T) {
		dir := t.TempDir()
		db, err := database.Open(t.Context(), "kitchen", database.Config{Dir: dir}, migrations.FS, slog.New(slog.DiscardHandler), nil)
		if err = errors.Join(err, db.Close()); err != nil {
			t.Fatal(err)
		}
		kitchenAndOrders(dir).must(t)
	})
	t.Run("adopted, and not yet recorded", func(t *testing.T) {
		dir := t.TempDir()
		kitchenAndOrders(dir).must(t)
		r := recordOf(t, dir)
		kitchenAndOrders(dir).with(func(p *process) {
			p.whileOpen = func(dbs map[string]*database.DB) {
				err := dbs["kitchen"].Write(t.Context(), func(_ context.Context, tx *database.Tx) error {
					_, err := tx.Exec("UPDATE installation SET epoch = 2")
					return err
				})
				if err != nil {
					t.Error(err)
				}
			}
		}).must(t)
		writeRecord(t, dir, r)
		kitchenAndOrders(dir).refused(t, "has moved on", "kitchen")
		kitchenAndOrders(dir).with(adopting("kitchen")).must(t)
	})
}

func writeRecord(t *testing.T, dir string, r record) {
	t.Helper()
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	writeFile(t, filepath.Join(dir, "installation.json"), string(data))
}

func writeFile(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestAFileUnderAnotherModulesNameIsRefused(t *testing.T) {
	dir := t.TempDir()
	kitchenAndOrders(dir).must(t)
	move(t, "orders", dir, t.TempDir(), false)
	if err := os.Rename(filepath.Join(dir, "kitchen.db"), filepath.Join(dir, "orders.db")); err != nil {
		t.Fatal(err)
	}
	p := process{data: dir, files: dir, placed: []string{"orders"}}
	if err := p.start(t); err == nil {
		t.Error("opened the kitchen's file as that of orders")
	}
}

func TestABrokenRecordIsNeverReplaced(t *testing.T) {
	for name, content := range map[string]string{
		"empty": "", "no object": "[]", "unknown field": `{"id":"a","modules":{},"modvles":{}}`, "no id": `{"modules":{"kitchen":1}}`,
		"no epoch": `{"id":"a","modules":{"kitchen":0}}`,
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "installation.json")
			writeFile(t, path, content)
			if err := kitchenAndOrders(dir).start(t); err == nil || !strings.Contains(err.Error(), "is not the record of an installation") {
				t.Errorf("error = %v", err)
			}
			if kept, _ := os.ReadFile(path); string(kept) != content {
				t.Errorf("now holds %q", kept)
			}
		})
	}
}

func TestASecondStartIsRefusedAndChangesNothing(t *testing.T) {
	dir := t.TempDir()
	kitchenAndOrders(dir).must(t)
	before := recordOf(t, dir)
	kitchenAndOrders(dir).with(func(p *process) {
		p.whileOpen = func(map[string]*database.DB) {
			if err := kitchenAndOrders(dir).start(t); err == nil || !strings.Contains(err.Error(), "in use by another process") {
				t.Errorf("error = %v", err)
			}
		}
	}).must(t)
	if after := recordOf(t, dir); after.ID != before.ID || len(after.Left) > 0 {
		t.Errorf("record = %+v", after)
	}
}
