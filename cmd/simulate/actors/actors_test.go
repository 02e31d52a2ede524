package actors

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"kerf/cmd/simulate/api"
	"kerf/platform/clock"
	"kerf/platform/geo"
)

// road is a server with one ticket and one courier, who may be offered one delivery; all in the states that the API has.
type road struct {
	mu      sync.Mutex
	ticket  string // state; "" if there is none that the restaurant may see
	courier string
	task    string // state of the courier's delivery; "" for none
	refuse  map[string]bool
	done    []string // actions, as they came
}

// leads says where an action leads from a state of the ticket or of the delivery.
var leads = map[string][2]string{
	"acceptance of ticket": {"AWAITING_ACCEPTANCE", "ACCEPTED"}, "preparation": {"ACCEPTED", "PREPARING"}, "readiness": {"PREPARING", "READY"},
	"hand-over": {"READY", "PICKED_UP"}, "acceptance": {"OFFERED", "ASSIGNED"}, "decline": {"OFFERED", ""},
	"arrival-at-pickup": {"ASSIGNED", "AT_PICKUP"}, "pickup": {"AT_PICKUP", "PICKED_UP"}, "arrival-at-dropoff": {"PICKED_UP", "AT_DROPOFF"},
	"dropoff": {"AT_DROPOFF", "DELIVERED"},
}

func (r *road) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	r.mu.Lock()
	defer r.mu.Unlock()
	path := strings.Split(strings.TrimPrefix(q.URL.Path, "/v1/"), "/")
	action := path[len(path)-1]
	switch {
	case path[0] == "tokens":
		answer(w, http.StatusCreated, map[string]any{"token": "t", "expires_at": time.Now().Add(time.Hour)})
	case path[0] == "couriers" && q.Method == http.MethodGet:
		doc := map[string]any{"id": "c", "state": r.courier, "location_sequence": 0, "delivery": nil}
		if r.task != "" {
			doc["delivery"] = map[string]any{"order_id": "o", "state": r.task, "restaurant_id": "r"}
		}
		answer(w, http.StatusOK, doc)
	case action == "location":
		w.WriteHeader(http.StatusNoContent)
	case action == "shift":
		r.courier, r.done = "AVAILABLE", append(r.done, action)
		answer(w, http.StatusOK, map[string]any{"id": "c", "state": r.courier})
	case action == "shift-end":
		r.courier, r.done = "OFFLINE", append(r.done, action)
		answer(w, http.StatusOK, map[string]any{})
	case q.Method == http.MethodGet:
		if r.ticket == "" {
			answer(w, http.StatusNotFound, map[string]any{"title": "no", "code": "not_found"})
			return
		}
		answer(w, http.StatusOK, map[string]any{"order_id": "o", "state": r.ticket, "pickup_code": "4711"})
	default:
		r.act(w, path[0], action)
	}
}

func (r *road) act(w http.ResponseWriter, what, action string) {
	state, name := &r.task, action
	if what == "tickets" {
		state = &r.ticket
		if action == "acceptance" {
			name = "acceptance of ticket"
		}
	}
	step, known := leads[name]
	if !known || *state != step[0] || r.refuse[name] {
		answer(w, http.StatusUnprocessableEntity, map[string]any{"title": "no", "code": "illegal", "detail": fmt.Sprint(name, " when ", *state)})
		return
	}
	*state, r.done = step[1], append(r.done, name)
	answer(w, http.StatusOK, map[string]any{"order_id": "o", "state": *state, "pickup_code": "4711"})
	if r.task == "DELIVERED" {
		r.task = ""
	}
}

func answer(w http.ResponseWriter, status int, body any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body)
}

func (r *road) set(change func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	change()
}

func (r *road) actions() []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.done)
}

// start serves the road, and gives a kitchen and a courier of it whose clock runs so fast that nothing takes time.
func (r *road) start(t *testing.T) (*Kitchen, *Courier) {
	t.Helper()
	s := httptest.NewServer(r)
	t.Cleanup(s.Close)
	client, err := api.New(api.Config{Target: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	clk, err := clock.New(clock.List{{Wall: time.Now(), Domain: time.Now(), Speed: 60_000}})
	if err != nil {
		t.Fatal(err)
	}
	caller := client.As(api.Identity{Roles: []string{"restaurant", "courier"}})
	kitchen := &Kitchen{API: caller, Clock: clk, Poll: time.Millisecond}
	return kitchen, &Courier{
		API: caller, ID: "c", Clock: clk, Poll: time.Millisecond, Report: time.Millisecond,
		Travel:        func(geo.Position, geo.Position) time.Duration { return 3 * time.Minute },
		PickupService: time.Minute, DropoffService: time.Minute,
		Counter: func(ctx context.Context, task api.Task) (string, error) { return kitchen.HandOver(ctx, task.OrderID) },
		Door:    func(context.Context, api.Task) (string, error) { return "1234", nil },
	}
}

func immediately(api.Ticket) time.Time { return time.Time{} }

func TestAnOrderGoesFromTheKitchenToTheDoor(t *testing.T) {
	r := &road{ticket: "AWAITING_ACCEPTANCE", courier: "OFFLINE", task: "OFFERED"}
	kitchen, courier := r.start(t)
	done := make(chan struct{})
	var noticed []What
	courier.Notice = func(n Notice) {
		noticed = append(noticed, n.What)
		if n.What == Delivered {
			close(done)
		}
	}
	cooked := make(chan error, 1)
	go func() { cooked <- kitchen.Cook(t.Context(), "o", immediately, nil) }()
	if err := courier.Work(t.Context(), geo.Position{}, time.Time{}, done); err != nil {
		t.Fatal(err)
	}
	if err := <-cooked; err != nil {
		t.Fatal(err)
	}
	if want := []What{WentOnline, Took, Delivered, WentOffline}; !slices.Equal(noticed, want) {
		t.Errorf("noticed %v", noticed)
	}
	for _, action := range []string{"acceptance of ticket", "preparation", "readiness", "hand-over", "shift", "acceptance", "arrival-at-pickup",
		"pickup", "arrival-at-dropoff", "dropoff", "shift-end"} {
		if n := strings.Count(" "+strings.Join(r.actions(), " ")+" ", " "+action+" "); n < 1 {
			t.Errorf("%s did not happen: %v", action, r.actions())
		}
	}
}

func TestWorkIsTakenUpWhereItIs(t *testing.T) {
	r := &road{ticket: "READY", courier: "BUSY", task: "AT_PICKUP"}
	_, courier := r.start(t)
	done := make(chan struct{})
	courier.Notice = func(n Notice) {
		if n.What == Delivered {
			close(done)
		}
	}
	if err := courier.Work(t.Context(), geo.Position{}, time.Time{}, done); err != nil {
		t.Fatal(err)
	}
	if want := []string{"hand-over", "pickup", "arrival-at-dropoff", "dropoff", "shift-end"}; !slices.Equal(r.actions(), want) {
		t.Errorf("did %v", r.actions())
	}
}

func TestAKitchenWaitsForATicketAndLeavesACancelledOne(t *testing.T) {
	r := &road{}
	kitchen, _ := r.start(t)
	asked := make(chan struct{})
	wake := make(chan struct{})
	cooked := make(chan error, 1)
	var once sync.Once
	go func() {
		cooked <- kitchen.Cook(t.Context(), "o", func(api.Ticket) time.Time {
			once.Do(func() { close(asked) })
			return kitchen.Clock.Now().Add(30 * time.Minute)
		}, func() <-chan struct{} { return wake })
	}()
	r.set(func() { r.ticket = "AWAITING_ACCEPTANCE" })
	close(wake)
	<-asked
	r.set(func() { r.ticket = "CANCELLED" })
	if err := <-cooked; err != nil {
		t.Fatal(err)
	}
	if _, err := kitchen.HandOver(t.Context(), "o"); !errors.Is(err, ErrGone) {
		t.Errorf("a cancelled order was handed over: %v", err)
	}
}

func TestACourierDeclinesWhatItDoesNotWantAndGoesHomeAtItsTime(t *testing.T) {
	r := &road{courier: "OFFLINE", task: "OFFERED"}
	_, courier := r.start(t)
	courier.Wants = func(api.Task) bool { return false }
	off := courier.Clock.Now().Add(2 * time.Hour) // 120 ms
	if err := courier.Work(t.Context(), geo.Position{}, off, nil); err != nil {
		t.Fatal(err)
	}
	if want := []string{"shift", "decline", "shift-end"}; !slices.Equal(r.actions(), want) {
		t.Errorf("did %v", r.actions())
	}
	if courier.Clock.Now().Before(off) {
		t.Error("went home early")
	}
}

func TestAnOrderThatIsTakenAwayIsLostAndTheShiftGoesOn(t *testing.T) {
	r := &road{courier: "OFFLINE", task: "OFFERED", refuse: map[string]bool{"arrival-at-pickup": true}}
	_, courier := r.start(t)
	done := make(chan struct{})
	var lost int
	courier.Notice = func(n Notice) {
		if n.What == Lost {
			if lost++; lost == 1 {
				r.set(func() { r.task = "" })
				close(done)
			}
		}
	}
	if err := courier.Work(t.Context(), geo.Position{}, time.Time{}, done); err != nil {
		t.Fatal(err)
	}
	if want := []string{"shift", "acceptance", "shift-end"}; !slices.Equal(r.actions(), want) || lost != 1 {
		t.Errorf("did %v, lost %d", r.actions(), lost)
	}
}
