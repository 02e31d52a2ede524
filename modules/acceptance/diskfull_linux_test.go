package acceptance

import (
	"testing"

	"golang.org/x/sys/unix"

	"kerf/platform/ids"
)

// limitFiles sets how large the files of a process may grow: what a full disk is to it. The former limit comes back with a nil limit.
func limitFiles(t *testing.T, p *process, limit *uint64) {
	t.Helper()
	var now unix.Rlimit
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, nil, &now); err != nil {
		t.Fatal(err)
	}
	now.Cur = now.Max
	if limit != nil {
		now.Cur = *limit
	}
	if err := unix.Prlimit(p.cmd.Process.Pid, unix.RLIMIT_FSIZE, &now, nil); err != nil {
		t.Fatal(err)
	}
}

// A disk that is full costs all writes, which say so. With room again, everything goes on from where it was, and no file is damaged.
func TestAFullDiskIsAClearError(t *testing.T) {
	t.Parallel()
	data := t.TempDir()
	server := start(t, data, "127.0.0.1:0")
	w := newWorld(t, &server.server, &contracts{})
	c := w.city(t)
	r, d := c.restaurant(nil), c.diner("tok_approve")
	before := d.approved(r)
	q, k := d.asks(supper(r, d)), ids.New()

	full := uint64(1)
	limitFiles(t, server, &full)
	for _, a := range []*answer{
		d.post("/v1/orders", d.placing(q), key(k)),
		r.does(before, "acceptance", obj{}, key(k)),
		d.post("/v1/quotes", supper(r, d)),
	} {
		if code := a.problem().Code; a.status != 503 || code != "database_full" && code != "database_unavailable" {
			t.Errorf("%s is answered with %d: %s", a.asked, a.status, a.body)
		}
		if a.header.Get("Retry-After") == "" {
			t.Errorf("%s does not say when to come back", a.asked)
		}
	}
	if d.page(before).Order.State != "APPROVED" {
		t.Error("what is there cannot be read")
	}
	c.stranger().get("/livez").ok(200, nil)

	limitFiles(t, server, nil)
	o := &order{}
	d.post("/v1/orders", d.placing(q), key(k)).ok(201, o)
	r.does(before, "acceptance", obj{}, key(k)).ok(200, nil)
	d.sees(o, "APPROVED")
	d.sees(before, "ACCEPTED")
	d.cancels(o).ok(200, nil)
	d.ends(o, "CANCELLED", "cancelled_by_consumer", 0)
	r.post("/v1/orders/"+before.ID+"/cancellation", obj{}).ok(200, nil)
	d.ends(before, "CANCELLED", "cancelled_by_restaurant", 0)
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
