package acceptance

import (
	"context"
	"database/sql"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	_ "github.com/mattn/go-sqlite3" // The tests touch the files while, and as, a server should not like it.

	"kerf/platform/ids"
)

// Nobody may run two servers on one data folder: the second says so in one line and changes nothing.
func TestASecondServerOnTheSameDataIsRefused(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	first := start(t, data, "127.0.0.1:0")
	second := launch(t, data, "127.0.0.1:0")
	select {
	case <-second.exited:
	case line := <-second.lines:
		t.Fatalf("the second server prints %q", line)
	}
	if said := strings.TrimSpace(second.log.String()); second.status != 1 || said == "" || strings.Contains(said, "\n") {
		t.Errorf("the second server ends with %d and says:\n%s", second.status, said)
	}
	w := newWorld(t, &first.server, &contracts{})
	c := w.city(t)
	o := c.diner("tok_approve").orders(c.restaurant(nil))
	if o.State != "PENDING" {
		t.Errorf("the first server takes an order as %s", o.State)
	}
}

// A server that is asked to end answers what it has in hand, ends the streams, and exits with 0; what it acknowledged is there later.
func TestTerminationDrains(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	server := start(t, data, "127.0.0.1:0")
	w := newWorld(t, &server.server, &contracts{})
	c := w.city(t)
	r, d := c.restaurant(nil), c.diner("tok_approve")
	live := c.follow(c.support(), "/v1/tracking/events", "")
	live.lines.Scan() // the stream is open

	var mu sync.Mutex
	var acknowledged []*order
	var diners sync.WaitGroup
	first := make(chan struct{})
	once := sync.OnceFunc(func() { close(first) })
	for range 8 {
		quotes := []*quote{d.asks(supper(r, d)), d.asks(supper(r, d)), d.asks(supper(r, d)), d.asks(supper(r, d))}
		diners.Go(func() {
			for _, q := range quotes {
				a, err := d.try("POST", "/v1/orders", d.placing(q))
				if err != nil {
					return // not answered: nobody was promised anything
				}
				if a.status == http.StatusCreated {
					o := &order{}
					a.ok(201, o)
					mu.Lock()
					acknowledged = append(acknowledged, o)
					mu.Unlock()
				}
				once()
			}
		})
	}
	<-first
	if status := server.terminate(t); status != 0 {
		t.Errorf("the server ends with %d:\n%s", status, server.log)
	}
	diners.Wait()
	for live.lines.Scan() { // to its end, which must come
	}

	start(t, data, server.address())
	for _, o := range acknowledged {
		d.sees(o, "APPROVED")
	}
	t.Logf("%d orders were acknowledged until the server was gone", len(acknowledged))
}

// file opens a module's database file beside the server.
func file(t *testing.T, data, module string) *sql.DB {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(data, module+".db"))
	if err != nil {
		t.Fatal(err)
	}
	db, err := sql.Open("sqlite3", "file:"+path+"?_busy_timeout=5000")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	return db
}

// lock keeps every writer out of a module's file until release is called.
func lock(t *testing.T, data, module string) (release func()) {
	t.Helper()
	conn, err := file(t, data, module).Conn(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if _, err := conn.ExecContext(context.Background(), "BEGIN IMMEDIATE"); err != nil {
		t.Fatal(err)
	}
	return sync.OnceFunc(func() {
		if _, err := conn.ExecContext(context.Background(), "ROLLBACK"); err != nil {
			t.Error(err)
		}
		_ = conn.Close()
	})
}

// intact asks SQLite whether the files of a server that has ended are whole.
func intact(t *testing.T, data string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(data, "*.db"))
	if err != nil || len(files) < 8 {
		t.Fatalf("the files are %v (%v)", files, err)
	}
	for _, path := range files {
		module := strings.TrimSuffix(filepath.Base(path), ".db")
		var said string
		if err := file(t, data, module).QueryRow("PRAGMA integrity_check").Scan(&said); err != nil || said != "ok" {
			t.Errorf("%s is damaged: %s %v", path, said, err)
		}
	}
}

// A file that somebody else has locked costs its module's writes, which say so and lose nothing; reads and the other modules go on.
func TestALockedFileIsAClearError(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	server := start(t, data, "127.0.0.1:0")
	w := newWorld(t, &server.server, &contracts{})
	c := w.city(t)
	r, d := c.restaurant(nil), c.diner("tok_approve")
	before := d.approved(r)

	release := lock(t, data, "orders")
	defer release()
	q, k := d.asks(supper(r, d)), ids.New() // restaurants is another file
	refused := d.post("/v1/orders", d.placing(q), key(k)).refused(503, "database_unavailable")
	if refused.header.Get("Retry-After") == "" {
		t.Error("the refusal does not say when to come back")
	}
	if d.page(before).Order.State != "APPROVED" {
		t.Error("orders cannot be read while nobody can write")
	}
	c.stranger().get("/livez").ok(200, nil)
	r.accepts(before) // orders hears of this only later
	release()

	o := &order{}
	d.post("/v1/orders", d.placing(q), key(k)).ok(201, o)
	d.sees(o, "APPROVED")
	d.sees(before, "ACCEPTED")
	d.cancels(o).ok(200, nil)
	r.post("/v1/orders/"+before.ID+"/cancellation", obj{}).ok(200, nil)
	d.ends(before, "CANCELLED", "cancelled_by_restaurant", 0)
	d.ends(o, "CANCELLED", "cancelled_by_consumer", 0)
	var audits map[string]*audit
	eventually(t, "quiet", func() (bool, string) {
		audits = w.audits(c.admin())
		return unrest(audits) == "", unrest(audits)
	})
	for _, violation := range violations(audits, 0) {
		t.Error(violation)
	}
	if status := server.terminate(t); status != 0 {
		t.Errorf("the server ends with %d:\n%s", status, server.log)
	}
	intact(t, data)
}

// A message that cannot be handled is parked, with those of its order behind it; all others go on. It can be mended and replayed, or dropped.
func TestAPoisonedMessageIsParked(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	server := start(t, data, "127.0.0.1:0")
	w := newWorld(t, &server.server, &contracts{})
	c := w.city(t)
	r, d := c.restaurant(nil), c.diner("tok_approve")

	// Two orders that tracking does not hear of, because its file is locked. Then the power fails, and their first events are spoiled.
	release := lock(t, data, "tracking")
	mended, dropped := d.approved(r), d.approved(r)
	for _, o := range []*order{mended, dropped} {
		c.hears(d.caller, d.subject, o, "kerf.orders.OrderApproved")
	}
	server.kill()
	release()
	good := map[string][]byte{}
	db := file(t, data, "orders")
	for _, o := range []*order{mended, dropped} {
		var data []byte
		if err := db.QueryRow("SELECT data FROM outbox WHERE subject = ? AND sequence = 1 AND settled = 0", o.ID).Scan(&data); err != nil {
			t.Fatal(err)
		}
		good[o.ID] = data
		if _, err := db.Exec("UPDATE outbox SET data = x'ff' WHERE subject = ? AND sequence = 1", o.ID); err != nil {
			t.Fatal(err)
		}
	}

	server = start(t, data, server.address())
	admin := c.admin()
	parked := parkedAt(t, admin, "tracking", 4) // both first events, and behind each the approval
	for _, o := range []*order{mended, dropped} {
		if p := parked[o.ID]; !p.Head || p.Type != "kerf.orders.OrderPlaced" || p.Cause == "" {
			t.Errorf("for order %s is parked: %+v", o.ID, p)
		}
	}
	healthy := d.approved(r)
	eventually(t, "the view of another order", func() (bool, string) {
		a := d.get("/v1/tracking/" + healthy.ID)
		return a.status == http.StatusOK && strings.Contains(string(a.body), `"status":"APPROVED"`), string(a.body)
	})

	// To replay it as it is changes nothing.
	path := func(o *order, what string) string {
		return fmt.Sprintf("/v1/parked/tracking/%s/%s", parked[o.ID].ID, what)
	}
	if a := admin.post(path(mended, "replay"), nil); a.status == http.StatusOK && !strings.Contains(string(a.body), `"handled":0`) {
		t.Errorf("a spoiled message was handled: %s", a.body)
	}
	parkedAt(t, admin, "tracking", 4)

	// Dropped, it lets the others through.
	var done struct{ Handled int }
	admin.post(path(dropped, "drop"), nil).ok(200, &done)
	if done.Handled < 1 {
		t.Errorf("after the drop %d messages were handled", done.Handled)
	}
	parkedAt(t, admin, "tracking", 2)

	// Mended, it is handled, and so are the others.
	if status := server.terminate(t); status != 0 {
		t.Errorf("the server ends with %d:\n%s", status, server.log)
	}
	if _, err := file(t, data, "tracking").Exec("UPDATE parked SET payload = ? WHERE subject = ? AND sequence = 1", good[mended.ID], mended.ID); err != nil {
		t.Fatal(err)
	}
	start(t, data, server.address())
	admin.post(path(mended, "replay"), nil).ok(200, &done)
	if done.Handled < 2 {
		t.Errorf("the replay handled %d messages", done.Handled)
	}
	parkedAt(t, admin, "tracking", 0)
	var v view
	d.get("/v1/tracking/"+mended.ID).ok(200, &v)
	if v.Status != "APPROVED" || v.History[0].Event != "kerf.orders.OrderPlaced" {
		t.Errorf("the view of the order is %+v", v)
	}
	for _, o := range []*order{mended, dropped, healthy} {
		d.cancels(o).ok(200, nil)
		d.ends(o, "CANCELLED", "cancelled_by_consumer", 0)
	}
	eventually(t, "quiet", func() (bool, string) {
		audits := w.audits(admin)
		return unrest(audits) == "", unrest(audits)
	})
}

// parkedMessage is one as the API shows it.
type parkedMessage struct {
	ID, Type, Subject, Cause string
	Head                     bool
}

// parkedAt waits until a module has so many messages parked, and returns the heads by subject.
func parkedAt(t *testing.T, admin *caller, module string, count int) map[string]parkedMessage {
	t.Helper()
	var list struct{ Items []parkedMessage }
	eventually(t, "parked messages", func() (bool, string) {
		list.Items = nil
		admin.get("/v1/parked/"+module).ok(200, &list)
		return len(list.Items) == count, fmt.Sprintf("%s has %+v, want %d", module, list.Items, count)
	})
	heads := map[string]parkedMessage{}
	for _, m := range list.Items {
		if m.Head {
			heads[m.Subject] = m
		}
	}
	return heads
}
