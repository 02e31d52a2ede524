package internal

import (
	"context"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"kerf/platform/database"
	"kerf/platform/fault"
)

// TestWhateverHappensTheTablesAgree plays random days: whatever couriers, support, kitchens, sagas and time do, in whatever order, a
// courier has one delivery at most, both tables say the same, memory says what the tables say, and a step is taken exactly where the
// machine has it.
func TestWhateverHappensTheTablesAgree(t *testing.T) {
	const seeds, steps = 12, 250
	delivered := 0
	for seed := range uint64(seeds) {
		p := &play{bench: newBench(t), random: rand.New(rand.NewPCG(seed, 42))}
		for range 4 {
			p.crew = append(p.crew, p.courier(at(p.random.Float64()*10)))
		}
		for i := range steps {
			p.step()
			p.check()
			if t.Failed() {
				t.Fatalf("seed %d, step %d: %s", seed, i, p.last)
			}
		}
		delivered += p.wantNobodyTwice()
	}
	if delivered < seeds {
		t.Errorf("%d delivered: the play tries too little", delivered)
	}
}

type play struct {
	*bench
	random   *rand.Rand
	crew     []string
	orders   []string
	sequence int64
	last     string
}

// step lets something happen.
func (p *play) step() {
	courierID := p.crew[p.random.IntN(len(p.crew))]
	switch p.random.IntN(18) {
	case 0:
		p.last = "schedule"
		p.orders = append(p.orders, p.schedule(time.Duration(p.random.IntN(30))*time.Minute))
	case 1, 2:
		p.last = "round"
		p.round()
	case 3:
		p.last = "time"
		p.clock.Advance(time.Duration(p.random.IntN(7)) * time.Minute)
		p.lapseAll()
	case 4:
		p.last = "shift"
		action := []string{"shift", "shift-end"}[p.random.IntN(2)]
		body := map[string]string{"shift": positionJSON(at(p.random.Float64() * 10)), "shift-end": `{}`}[action]
		p.as(courierID).post("/v1/couriers/"+courierID+"/"+action, body)
	case 5:
		p.last = "report"
		p.sequence += int64(p.random.IntN(3)) - 1
		p.as(courierID).report(courierID, at(p.random.Float64()*10), max(1, p.sequence))
	case 6:
		p.last = "write positions"
		if err := p.writePositions(context.Background()); err != nil {
			p.t.Error(err)
		}
	case 7:
		if len(p.orders) > 0 && p.random.IntN(3) == 0 {
			p.last = "cancel"
			orderID := p.orders[p.random.IntN(len(p.orders))]
			if err := p.cancel(orderID); err != nil && fault.As(err).Code != "delivery_picked_up" {
				p.t.Error(err)
			}
		}
	case 8:
		if len(p.orders) > 0 {
			p.last = "kitchen"
			p.hear(p.orders[p.random.IntN(len(p.orders))], word{readyBy: p.clock.Now().Add(time.Duration(p.random.IntN(40)) * time.Minute)})
		}
	default:
		p.act()
	}
}

// act has somebody do something with a delivery: mostly its courier what comes next, otherwise anything.
func (p *play) act() {
	if len(p.orders) == 0 {
		return
	}
	d := p.delivery(p.orders[p.random.IntN(len(p.orders))])
	for tries := 0; !d.State.held() && tries < 4; tries++ {
		d = p.delivery(p.orders[p.random.IntN(len(p.orders))])
	}
	a := actions[p.random.IntN(len(actions))]
	next := map[State]int{Offered: 0, Assigned: 2, AtPickup: 3, PickedUp: 4, AtDropoff: 5, Failed: 7}
	if i, ok := next[d.State]; ok && p.random.IntN(8) > 0 {
		a = actions[i]
	}
	p.last = a.path + " while " + string(d.State)
	body := map[string]string{"pickup": `{"code":"1234"}`, "dropoff": `{"pin":"9876"}`, "failure": `{"reason":"accident"}`}[a.path]
	if body == "" {
		body = `{}`
	}
	caller := p.by("support:s")
	if a.by[0] == itsCourier[0] && d.CourierID != "" {
		caller = p.as(d.CourierID)
	}
	got := caller.act(d.OrderID, a.path, body)
	_, allowed := machine[occasion{d.State, a.trigger}]
	who, _ := tokens{}.Verify(context.Background(), caller.token)
	may := a.by.include(who, d)
	switch {
	case (got.status == 200) != (allowed && may):
		p.t.Errorf("%s by %s: %d %s", p.last, caller.token, got.status, got.body)
	case may && !allowed && (got.status != 422 || !strings.HasPrefix(got.field("code").(string), "delivery_")):
		p.t.Errorf("%s was refused with %d %s", p.last, got.status, got.body)
	}
}

// lapseAll gives back the offers whose time is over, as the due work would.
func (p *play) lapseAll() {
	for _, orderID := range p.orders {
		if d := p.delivery(orderID); d.State == Offered && !p.clock.Now().Before(d.OfferExpiresAt) {
			err := p.db.Write(context.Background(), func(ctx context.Context, tx *database.Tx) error {
				d, err := findDelivery(tx, orderID)
				if err != nil {
					return err
				}
				_, err = p.change(ctx, tx, d, (*Delivery).OfferLapses)
				return err
			})
			if err != nil {
				p.t.Error(err)
			}
		}
	}
}

// check holds what must always be.
func (p *play) check() {
	p.wantConsistent()
	for _, id := range p.crew {
		c := p.row(id)
		if (c.OrderID != "") != (c.State == Busy) {
			p.t.Errorf("a courier is %s with %q", c.State, c.OrderID)
		}
		known := p.tracks.by[id]
		if known.version != c.Version || known.state != c.State || known.written != c.Sequence {
			p.t.Errorf("memory knows %+v of %+v", known, c)
		}
		if c.OrderID == "" {
			if known.has != nil {
				p.t.Errorf("memory gives %s the order %s", id, known.has.OrderID)
			}
			continue
		}
		if d := p.delivery(c.OrderID); known.has == nil || *known.has != *d {
			p.t.Errorf("memory has %+v, the table %+v", known.has, d)
		}
	}
	for _, orderID := range p.orders {
		d := p.delivery(orderID)
		if d.State.held() != (d.CourierID != "" && d.State != Delivered && d.State != Returned) {
			p.t.Errorf("a delivery is %s with courier %q", d.State, d.CourierID)
		}
		if d.EtaEarliest.After(d.EtaLatest) || (d.State == Offered) == d.OfferExpiresAt.IsZero() {
			p.t.Errorf("a delivery makes no sense: %+v", d)
		}
	}
}
