package acceptance

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"
)

// event is one server-sent event.
type event struct{ id, name, data string }

// view is the diner's view of an order.
type view struct {
	OrderID  string `json:"order_id"`
	Sequence int64
	Status   string
	History  []struct{ Event string }
}

// stream is a live stream that is being read.
type stream struct {
	c      *city
	cancel context.CancelFunc
	lines  *bufio.Scanner
	body   interface{ Close() error }
}

// follow opens a stream; last is the Last-Event-ID, if it is not empty.
func (c *city) follow(who *caller, path, last string) *stream {
	c.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	req, err := http.NewRequestWithContext(ctx, "GET", who.url+path, nil)
	if err != nil {
		c.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+who.token)
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := who.http.Do(req) //nolint:bodyclose // The stream closes it.
	if err != nil {
		c.Fatal(err)
	}
	if res.StatusCode != http.StatusOK || res.Header.Get("Content-Type") != "text/event-stream" {
		c.Fatalf("%s was answered with %d and %q", path, res.StatusCode, res.Header.Get("Content-Type"))
	}
	c.world.contract.note(req, res)
	s := &stream{c, cancel, bufio.NewScanner(res.Body), res.Body}
	s.lines.Buffer(nil, 1<<20)
	c.Cleanup(s.close)
	return s
}

func (s *stream) close() {
	s.cancel()
	_ = s.body.Close()
}

// next reads one event, and checks its data against the description. Comments keep the line alive, and are passed over.
func (s *stream) next() event {
	s.c.Helper()
	var e event
	for s.lines.Scan() {
		name, value, _ := strings.Cut(s.lines.Text(), ":")
		value = strings.TrimPrefix(value, " ")
		switch name {
		case "id":
			e.id = value
		case "event":
			e.name = value
		case "data":
			e.data = value
		case "":
			if e.name == "" { // a comment, or the line after it
				continue
			}
			schema, ok := map[string]string{"view": "View", "position": "CourierPosition", "end": "ViewEnd"}[e.name]
			if !ok {
				s.c.Fatalf("an event is named %q", e.name)
			}
			s.c.world.contract.checkSchema(s.c.T, schema, []byte(e.data))
			return e
		}
	}
	s.c.Fatalf("the stream ended: %v", s.lines.Err())
	return e
}

// views reads views until one has a status, or the order has ended if that is empty, and asserts that their sequence has no gap.
func (s *stream) views(after int64, until string) (seen []view) {
	s.c.Helper()
	for {
		e := s.next()
		if e.name == "end" {
			return seen
		}
		if e.name != "view" {
			continue
		}
		var v view
		if err := json.Unmarshal([]byte(e.data), &v); err != nil {
			s.c.Fatal(err)
		}
		if after >= 0 && v.Sequence != after+1 {
			s.c.Errorf("after view %d came %d", after, v.Sequence)
		}
		if e.id != strconv.FormatInt(v.Sequence, 10) {
			s.c.Errorf("view %d has the id %s", v.Sequence, e.id)
		}
		after = v.Sequence
		seen = append(seen, v)
		if v.Status == until {
			return seen
		}
	}
}

func followLive(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	c.courier()
	o := d.orders(r)
	path := "/v1/tracking/" + o.ID
	live := c.follow(d.caller, path+"/events", "") // at once: the first view is waited for
	other := d.orders(r)
	d.get("/v1/tracking/"+other.ID).ok(200, nil)
	d.sees(other, "APPROVED")
	d.cancels(other).ok(200, nil)
	d.ends(other, "CANCELLED", "cancelled_by_consumer", 0)
	d.sees(o, "APPROVED")
	r.accepts(o)
	first := live.views(-1, "ACCEPTED")
	live.close() // the diner's phone goes dark
	last := first[len(first)-1]

	r.cooks(o)
	k := c.offered(o)
	k.on(o, "acceptance", obj{}).ok(200, nil)
	k.on(o, "arrival-at-pickup", obj{}).ok(200, nil)

	resumed := c.follow(d.caller, path+"/events", strconv.FormatInt(last.Sequence, 10))
	k.on(o, "pickup", obj{"code": r.ticket(o).PickupCode}).ok(200, nil)
	more := resumed.views(last.Sequence, "PICKED_UP")
	for sequence := 1; ; sequence++ {
		k.put("/v1/couriers/"+k.subject+"/location", obj{"position": c.position(300), "sequence": sequence}).ok(204, nil)
		if e := resumed.next(); e.name == "position" {
			var moved struct {
				OrderIDs []string `json:"order_ids"`
			}
			if err := json.Unmarshal([]byte(e.data), &moved); err != nil || !slices.Equal(moved.OrderIDs, []string{o.ID}) || e.id != "" {
				c.Errorf("a position came as %v (%v)", e, err)
			}
			break
		} else if e.name == "view" {
			var v view
			if err := json.Unmarshal([]byte(e.data), &v); err != nil {
				c.Fatal(err)
			}
			more = append(more, v)
		}
	}
	k.brings(o)
	more = append(more, resumed.views(more[len(more)-1].Sequence, "")...)
	if got := more[len(more)-1]; got.Status != "DELIVERED" {
		c.Errorf("the stream ended at %s", got.Status)
	}
	d.ends(o, "DELIVERED", "", supperTotal)

	// Who comes late gets the end at once.
	if late := c.follow(d.caller, path+"/events", "").views(-1, ""); len(late) != 1 {
		c.Errorf("after the end %d views come", len(late))
	}
	d.toldOnce(path)
	neverWentBack(c, append(first, more...))
}

// toldOnce holds the history of a delivered order against all that happened: each event is told, once.
func (d *diner) toldOnce(path string) {
	d.city.Helper()
	events := []string{"orders.OrderPlaced", "orders.OrderApproved", "kitchen.TicketAccepted", "kitchen.PreparationStarted",
		"kitchen.TicketReady", "delivery.CourierAssigned", "delivery.OrderPickedUp", "accounting.PaymentCaptured", "delivery.OrderDroppedOff", "orders.OrderDelivered"}
	v := d.told(path, events...)
	told := map[string]int{}
	for _, h := range v.History {
		told[h.Event]++
	}
	for _, event := range events {
		if told["kerf."+event] != 1 {
			d.city.Errorf("the history tells %s %d times", event, told["kerf."+event])
		}
	}
	d.get(path, header("If-None-Match", fmt.Sprintf(`W/"%d"`, v.Sequence))).ok(304, nil)
}

// neverWentBack holds the statuses that a diner saw against the way of an order. Between topics no order is promised: the kitchen's acceptance
// may come before the order's approval, which then is not seen. Nothing goes back.
func neverWentBack(c *city, seen []view) {
	c.Helper()
	var order []string
	for _, s := range seen {
		if len(order) == 0 || order[len(order)-1] != s.Status {
			order = append(order, s.Status)
		}
	}
	want := []string{"PENDING", "APPROVED", "ACCEPTED", "PREPARING", "READY", "PICKED_UP", "DELIVERED"}
	at := -1
	for _, status := range order {
		next := slices.Index(want, status)
		if next <= at {
			c.Errorf("the diner saw %v", order)
		}
		at = next
	}
	for _, status := range []string{"ACCEPTED", "PICKED_UP", "DELIVERED"} {
		if !slices.Contains(order, status) {
			c.Errorf("the diner saw %v, without %s", order, status)
		}
	}
}

// told waits until a view's history tells all the events: those of several modules come each in their own time.
func (d *diner) told(path string, events ...string) (v view) {
	eventually(d.city.T, "a history that tells all", func() (bool, string) {
		v = view{}
		d.get(path).ok(200, &v)
		for _, event := range events {
			if !slices.ContainsFunc(v.History, func(h struct{ Event string }) bool { return h.Event == "kerf."+event }) {
				return false, event + " is not told"
			}
		}
		return true, ""
	})
	return v
}

func followAll(c *city) {
	staff := c.support()
	live := c.follow(staff, "/v1/tracking/events", "")
	r, d := c.restaurant(nil), c.diner("tok_approve")
	o := d.orders(r)
	last := ""
	for {
		e := live.next()
		if e.id != "" {
			last = e.id
		}
		if e.name == "view" && strings.Contains(e.data, o.ID) && last != "" {
			break
		}
	}
	live.close()
	d.sees(o, "APPROVED")
	d.cancels(o).ok(200, nil)
	d.ends(o, "CANCELLED", "cancelled_by_consumer", 0)
	resumed := c.follow(staff, "/v1/tracking/events", last)
	for {
		var v view
		e := resumed.next()
		if e.name != "view" {
			continue
		}
		if err := json.Unmarshal([]byte(e.data), &v); err != nil {
			c.Fatal(err)
		}
		if v.OrderID == o.ID && v.Status == "CANCELLED" {
			break
		}
	}
}

// rebuild is the last rebuild of all views.
type rebuild struct {
	ID, State, Problem string
	Changed            int64 `json:"views_changed"`
}

func viewsRebuilt(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	c.courier()
	before, o := d.approved(r), d.approved(r)
	approved := []string{"orders.OrderPlaced", "kitchen.TicketCreated", "accounting.PaymentAuthorized", "orders.OrderApproved"}
	was := d.told("/v1/tracking/"+before.ID, approved...)
	d.told("/v1/tracking/"+o.ID, approved...)
	var is view
	live := c.follow(d.caller, "/v1/tracking/"+o.ID+"/events", "")
	seen := live.views(-1, "APPROVED")
	admin := c.admin()
	var begun, last rebuild
	eventually(c.T, "a rebuild of its own", func() (bool, string) { // another story may be rebuilding
		res := admin.post("/v1/tracking/rebuild", nil)
		if res.status == http.StatusConflict {
			res.refused(409, "rebuild_running")
			return false, string(res.body)
		}
		res.ok(202, &begun)
		return true, ""
	})
	r.accepts(o)
	eventually(c.T, "the end of the rebuild", func() (bool, string) {
		admin.get("/v1/tracking/rebuild").ok(200, &last)
		return last.State == "DONE" || last.ID != begun.ID, fmt.Sprintf("it is %+v", last)
	})
	if last.Changed != 0 {
		c.Errorf("a rebuild changed %d views that were right", last.Changed)
	}
	live.views(seen[len(seen)-1].Sequence, "ACCEPTED") // each, though the views were replaced under it
	live.close()
	if d.get("/v1/tracking/"+before.ID).ok(200, &is); is.Sequence != was.Sequence || is.Status != was.Status || len(is.History) != len(was.History) {
		c.Errorf("a view that was right is another after a rebuild: %+v, was %+v", is, was)
	}
	for _, order := range []*order{before, o} {
		d.cancels(order).ok(200, nil)
	}
	d.ends(before, "CANCELLED", "cancelled_by_consumer", 0)
}

func pages(c *city) {
	r, d := c.restaurant(nil), c.diner("tok_approve")
	var orders []*order
	for range 5 {
		o := d.approved(r)
		d.cancels(o).ok(200, nil)
		d.ends(o, "CANCELLED", "cancelled_by_consumer", 0)
		orders = append(orders, o)
	}
	slices.Reverse(orders) // newest first
	for _, start := range []string{"/v1/orders?limit=2", "/v1/tracking?limit=2", "/v1/orders?limit=2&state=CANCELLED", "/v1/tickets?limit=2&state=CANCELLED&restaurant_id=" + r.id} {
		who := d.caller
		if strings.HasPrefix(start, "/v1/tickets") {
			who = r.caller
		}
		want := orders
		if who == r.caller { // a board is oldest first
			want = slices.Clone(orders)
			slices.Reverse(want)
		}
		var got []string
		pages := 0
		eventually(c.T, start, func() (bool, string) { // the views come a moment later
			got, pages = nil, 0
			for path := start; path != ""; pages++ {
				var p struct {
					Items []struct {
						ID      string
						OrderID string `json:"order_id"`
					}
					Links links `json:"_links"`
				}
				who.get(path).ok(200, &p)
				for _, item := range p.Items {
					got = append(got, max(item.ID, item.OrderID))
				}
				path = p.Links["next"].Href
			}
			return len(got) == len(want), fmt.Sprintf("%d are listed", len(got))
		})
		for i, o := range want {
			if got[i] != o.ID {
				c.Errorf("%s: number %d is %s, want %s", start, i, got[i], o.ID)
			}
		}
		if pages != 3 {
			c.Errorf("%s: 5 are on %d pages of 2", start, pages)
		}
	}
	for _, bad := range []string{"/v1/orders?limit=0", "/v1/orders?limit=101", "/v1/orders?limit=ten"} {
		d.get(bad).refused(400, "invalid").naming("limit")
	}
	d.get("/v1/orders?cursor=c3VycHJpc2U").refused(400, "invalid").naming("cursor")
}
