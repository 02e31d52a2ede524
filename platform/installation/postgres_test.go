package installation_test

import (
	"slices"
	"sync"
	"testing"

	"kerf/platform/database"
	"kerf/platform/database/databasetest"
)

func TestOnAServerFurtherProcessesJoinUntilOneAdopts(t *testing.T) {
	server := map[string]database.Config{"kitchen": databasetest.Postgres(t, t.TempDir(), "kitchen"), "orders": databasetest.Postgres(t, t.TempDir(), "orders")}
	start := func(dir string) process {
		return process{data: dir, placed: []string{"kitchen", "orders"}, schema: func(module string) database.Config { return server[module] }}
	}
	first, second := start(t.TempDir()), start(t.TempDir())

	first.refused(t, "to begin with an empty one", "kitchen", "orders")
	first.with(beginning("kitchen", "orders")).must(t)
	first.must(t)
	second.must(t)
	if a, b := recordOf(t, first.data), recordOf(t, second.data); a.ID != b.ID || a.Modules["kitchen"] != 1 || b.Modules["kitchen"] != 1 {
		t.Errorf("records: %+v and %+v", a, b)
	}

	second.with(adopting("kitchen")).must(t)
	first.refused(t, "has moved on", "kitchen")
	second.must(t)
	first.with(func(p *process) { p.placed, p.elsewhere = []string{"orders"}, []string{"kitchen"} }).must(t)
	if got := recordOf(t, first.data); !slices.Equal(got.Left, []string{"kitchen"}) {
		t.Errorf("record = %+v", got)
	}
	first.refused(t, "has moved on", "kitchen")
	first.with(adopting("kitchen")).must(t)
	second.refused(t, "has moved on", "kitchen")
}

func TestReplicasThatStartAtTheSameTimeMakeOneSchema(t *testing.T) {
	kitchen := databasetest.Postgres(t, t.TempDir(), "kitchen")
	dir := t.TempDir()
	replica := process{data: dir, placed: []string{"kitchen"}, shared: true, schema: func(string) database.Config { return kitchen }}
	var started sync.WaitGroup
	for range 3 {
		started.Go(func() {
			if err := replica.start(t); err != nil {
				t.Error(err)
			}
		})
	}
	started.Wait()
	if got := recordOf(t, dir); got.Modules["kitchen"] != 1 {
		t.Errorf("record = %+v", got)
	}
}

func TestAModuleLeavesItsFileForAServer(t *testing.T) {
	dir, server := t.TempDir(), databasetest.Postgres(t, t.TempDir(), "kitchen")
	onServer := kitchenAndOrders(dir).with(func(p *process) {
		p.schema = func(module string) database.Config {
			if module == "kitchen" {
				return server
			}
			return database.Config{Dir: dir}
		}
	})
	kitchenAndOrders(dir).must(t)

	onServer.refused(t, "bring it back, or -init kitchen", "kitchen")
	onServer.with(beginning("kitchen")).must(t)
	onServer.must(t)
	kitchenAndOrders(dir).refused(t, "left behind, or an old one", "kitchen")
}
