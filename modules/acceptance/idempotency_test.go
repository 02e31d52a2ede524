package acceptance

import (
	"bytes"
	"net/http"
	"sync"

	"kerf/platform/ids"
)

func sameKeySameAnswer(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	q := d.asks(supper(r, d))
	k := ids.New()

	var o order
	first := d.post("/v1/orders", d.placing(q), key(k)).ok(201, &o)
	again := d.post("/v1/orders", d.placing(q), key(k)).ok(201, nil)
	if !bytes.Equal(first.body, again.body) || first.etag() != again.etag() || first.header.Get("Location") != again.header.Get("Location") {
		c.Errorf("the first answer was %s %s, the second %s %s", first.etag(), first.body, again.etag(), again.body)
	}
	if again.header.Get("Idempotency-Replayed") != "true" {
		c.Error("the repeat does not say that it is one")
	}
	if first.header.Get("Location") != "/v1/orders/"+o.ID || first.etag() != `"1"` {
		c.Errorf("the order is at %q, version %s", first.header.Get("Location"), first.etag())
	}
	other := d.placing(q)
	other["notes"] = "another note"
	d.post("/v1/orders", other, key(k)).refused(422, "idempotency_key_reused")

	// The same key is another one for another person, and for another route.
	e := c.diner("tok_approve")
	f := &order{}
	e.post("/v1/orders", e.placing(e.asks(supper(r, e))), key(k)).ok(201, f)
	d.sees(&o, "APPROVED")
	cancelled := d.cancels(&o, key(k)).ok(200, nil)
	if later := d.cancels(&o, key(k)).ok(200, nil); !bytes.Equal(cancelled.body, later.body) {
		c.Errorf("a cancel was answered with %s, then with %s", cancelled.body, later.body)
	}
	d.ends(&o, "CANCELLED", "cancelled_by_consumer", 0)
	e.sees(f, "APPROVED")
	e.cancels(f).ok(200, nil)
	e.ends(f, "CANCELLED", "cancelled_by_consumer", 0)

	// A refusal is an answer, too.
	refused := d.post("/v1/orders", d.placing(q), key(k+"x")).refused(422, "quote_used")
	if later := d.post("/v1/orders", d.placing(q), key(k+"x")).refused(422, "quote_used"); !bytes.Equal(refused.body, later.body) {
		c.Errorf("a refusal was %s, then %s", refused.body, later.body)
	}
}

func oneKeyOneOrder(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	q, k := d.asks(supper(r, d)), ids.New()
	var mu sync.Mutex
	placed := map[string]int{}
	var wait sync.WaitGroup
	for range 16 {
		wait.Go(func() {
			for {
				a, err := d.try("POST", "/v1/orders", d.placing(q), key(k))
				if err != nil {
					c.Error(err)
					return
				}
				if a.status == http.StatusConflict { // in flight: that is to be asked again
					if a.header.Get("Retry-After") == "" {
						c.Error("a request in flight does not say when to come back")
					}
					continue
				}
				mu.Lock()
				placed[a.header.Get("Location")]++
				mu.Unlock()
				return
			}
		})
	}
	wait.Wait()
	if len(placed) != 1 {
		c.Fatalf("one key placed %v", placed)
	}
	var mine struct{ Items []order }
	d.get("/v1/orders").ok(200, &mine)
	if len(mine.Items) != 1 {
		c.Fatalf("%d orders exist", len(mine.Items))
	}
	o := &mine.Items[0]
	d.sees(o, "APPROVED")
	d.cancels(o).ok(200, nil)
	d.ends(o, "CANCELLED", "cancelled_by_consumer", 0)
}

func versions(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	me := "/v1/consumers/" + d.subject
	seen := d.get(me).ok(200, nil).etag()
	d.get(me, header("If-None-Match", seen)).ok(304, nil)
	d.send("PATCH", me, obj{"name": "Ada L."}, ifMatch(seen)).ok(200, nil)
	d.send("PATCH", me, obj{"name": "Ada K."}, ifMatch(seen)).refused(412, "stale")
	d.send("PATCH", me, obj{"name": "Ada K."}).refused(428, "if_match_required")
	d.send("PATCH", me, obj{"name": "Ada K."}, ifMatch("yesterday's")).refused(400, "invalid").naming("If-Match")
	d.send("DELETE", me+"/addresses/"+d.address, nil).refused(428, "if_match_required")
	d.send("DELETE", me+"/addresses/"+d.address, nil, ifMatch(`"77"`)).refused(412, "stale")

	old := r.etag()
	r.put(r.path("/tax-rate"), obj{"basis_points": 700}, ifMatch(old)).ok(200, nil)
	r.put(r.path("/tax-rate"), obj{"basis_points": 800}, ifMatch(old)).refused(412, "stale")

	// What changes nothing is no new version, and null is no way to leave a member out.
	for _, edit := range []struct {
		who    *caller
		path   string
		same   obj
		fields []string
	}{
		{d.caller, me, obj{"name": "Ada L."}, []string{"name", "email", "locale", "phone"}},
		{r.caller, r.path(""), obj{"cuisine": "italian", "position": c.position(0)}, []string{"name", "cuisine", "position"}},
	} {
		tag := edit.who.get(edit.path).ok(200, nil).etag()
		for _, body := range []obj{{}, edit.same} {
			if got := edit.who.send("PATCH", edit.path, body, ifMatch(tag)).ok(200, nil).etag(); got != tag {
				c.Errorf("PATCH %s with %v: version %s follows %s", edit.path, body, got, tag)
			}
		}
		for _, field := range edit.fields {
			edit.who.send("PATCH", edit.path, obj{field: nil}, ifMatch(tag)).refused(400, "invalid").naming(field)
		}
		edit.who.get(edit.path, header("If-None-Match", tag)).ok(304, nil)
	}

	// On actions a version is optional, but holds if it is stated.
	o := d.approved(r)
	r.does(o, "acceptance", obj{}).ok(200, nil)
	r.post("/v1/tickets/"+o.ID+"/preparation", obj{}, ifMatch(`"1"`)).refused(412, "stale")
	d.cancels(o, ifMatch(`"1"`)).refused(412, "stale")

	// A composed page has a weak tag that changes with any of its parts.
	d.sees(o, "ACCEPTED")
	r.does(o, "preparation", obj{}).ok(200, nil)
	tag := ""
	eventually(c.T, "the page stays the same", func() (bool, string) {
		before := tag
		tag = d.get("/v1/orders/"+o.ID).ok(200, nil).etag()
		return tag == before && d.get("/v1/orders/"+o.ID, header("If-None-Match", tag)).status == http.StatusNotModified, "its tag is " + tag
	})
	r.post("/v1/orders/"+o.ID+"/cancellation", obj{}).ok(200, nil)
	d.ends(o, "CANCELLED", "cancelled_by_restaurant", 0)
	if a := d.get("/v1/orders/"+o.ID, header("If-None-Match", tag)); a.status != http.StatusOK {
		c.Errorf("a cancelled order is answered with %d to who saw it accepted", a.status)
	}
}
