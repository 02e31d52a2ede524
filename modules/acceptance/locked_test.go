package acceptance

import (
	"database/sql"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/mattn/go-sqlite3" // the driver of the other process
)

// Somebody else's lock on the modules' files, be it from before the start, stops the writing and says so. It ends nothing, and when it
// is gone everything goes on.
func TestALockedFileIsWaitedForFromTheStart(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	if status := start(t, data, "127.0.0.1:0").terminate(t); status != 0 {
		t.Fatalf("the first start ends with %d", status)
	}
	files, err := filepath.Glob(filepath.Join(data, "*.db"))
	if err != nil || len(files) != 8 {
		t.Fatalf("%d files of modules, %v", len(files), err)
	}
	var locks []*sql.Tx
	for _, file := range files {
		other, err := sql.Open("sqlite3", "file:"+file+"?_txlock=exclusive")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = other.Close() })
		lock, err := other.Begin()
		if err != nil {
			t.Fatal(err)
		}
		locks = append(locks, lock)
	}

	server := start(t, data, "127.0.0.1:0")
	w := newWorld(t, &server.server, &contracts{})
	c := w.city(t)
	if a := c.stranger().get("/readyz"); a.status != 503 {
		t.Errorf("a server that cannot write says of itself %d: %s", a.status, a.body)
	}
	c.stranger().get("/livez").ok(200, nil)
	eventually(t, "the modules have met the locks", func() (bool, string) {
		log := server.log.String()
		return strings.Contains(log, "work not begun"), log
	})
	for _, lock := range locks {
		if err := lock.Rollback(); err != nil {
			t.Fatal(err)
		}
	}
	eventually(t, "ready", func() (bool, string) {
		a := c.stranger().get("/readyz")
		return a.status == 200, string(a.body)
	})
	r, d := c.restaurant(nil), c.diner("tok_approve")
	o := d.approved(r)
	d.cancels(o).ok(200, nil)
	d.ends(o, "CANCELLED", "cancelled_by_consumer", 0)
	if status := server.terminate(t); status != 0 {
		t.Errorf("the server ends with %d:\n%s", status, server.log)
	}
	intact(t, data)
}
