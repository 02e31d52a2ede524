package play

import (
	"math"
	"slices"
	"time"

	"kerf/cmd/simulate/api"
	"kerf/cmd/simulate/rules"
)

// Schema names the form of a Report. Fields may be added to it without another name.
const Schema = "kerf.simulation/1"

// Report is what became of a day.
type Report struct {
	Schema      string `json:"schema"`
	KerfVersion string `json:"kerf_version"`
	Instance    string `json:"instance"`
	// Speed of the server's domain clock: domain seconds in a second.
	Speed  float64     `json:"speed"`
	Orders OrderCounts `json:"orders"`
	// CancelledByReason and RejectedByReason count ended orders by the reason that the order states.
	CancelledByReason map[string]int `json:"cancelled_by_reason"`
	RejectedByReason  map[string]int `json:"rejected_by_reason"`
	// RefusedByReason counts the orders that the server would not take, by the problem's code. They are unfinished.
	RefusedByReason map[string]int `json:"refused_by_reason"`
	// ClickToDoor is from placing to dropping off, of the delivered orders, in simulated minutes.
	ClickToDoor Minutes `json:"click_to_door_minutes"`
	// Place is from sending the request for a quote to having the order acknowledged, two requests; Approve from the same moment to having the
	// live stream of all orders tell that the order was approved. So the latter includes the way of the events into tracking, and costs the
	// server one stream and no request. Real milliseconds, as seen by the client, which shares the machine if it runs there.
	Place   Percentiles `json:"place_ms"`
	Approve Percentiles `json:"approve_ms"`
	// Ledger is what this day's orders put into the books, in minor units; the imbalance is that of all books.
	Ledger LedgerSums `json:"ledger"`
	// Invariants count violations; all are there, with 0 if none was found. I11 is not counted but measured.
	Invariants map[string]int `json:"invariants"`
	// Violations tells of them in words, of fifty at most.
	Violations []string `json:"violations"`
	// ReadYourWrites is I11: each order was asked for at once after it was acknowledged, by its diner.
	ReadYourWrites map[string]ReadCounts `json:"read_your_writes"`
	// Events are those that were written, and Restless what was still under way when patience ended.
	Events   int64    `json:"events"`
	Restless []string `json:"restless"`
	// Outcomes are the orders of the day, in its order: what became of each, and of its money.
	Outcomes []Outcome `json:"outcomes"`
	// Retries is how many attempts were made beyond the first of each call.
	Retries int64 `json:"retries"`
	// The wall time of the whole run, and of it what the set-up and the day took.
	WallSeconds   float64 `json:"wall_seconds"`
	SetUpSeconds  float64 `json:"set_up_seconds"`
	PlayedSeconds float64 `json:"played_seconds"`
}

// OrderCounts say how many orders were acknowledged, and how they ended. Cancelled are those too that could not be delivered. Unfinished are
// those that did not end in time, and those that were not taken at all.
type OrderCounts struct {
	Placed     int `json:"placed"`
	Delivered  int `json:"delivered"`
	Cancelled  int `json:"cancelled"`
	Rejected   int `json:"rejected"`
	Unfinished int `json:"unfinished"`
}

// Minutes are of simulated time.
type Minutes struct {
	Mean float64 `json:"mean"`
	P50  float64 `json:"p50"`
	P90  float64 `json:"p90"`
}

// Percentiles are of real time.
type Percentiles struct {
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
}

// LedgerSums are in minor units.
type LedgerSums struct {
	Imbalance int64 `json:"imbalance"`
	Captured  int64 `json:"captured"`
	Refunded  int64 `json:"refunded"`
}

// ReadCounts count reads and those of them that did not find what had been written.
type ReadCounts struct {
	Reads int `json:"reads"`
	Stale int `json:"stale"`
}

// Outcome is what became of one order. Amounts are in minor units.
type Outcome struct {
	Order    string `json:"order"` // its name in the day
	State    string `json:"state"` // empty if it was not taken
	Reason   string `json:"reason,omitempty"`
	Total    int64  `json:"total"`
	Captured int64  `json:"captured"`
	Refunded int64  `json:"refunded"`
}

// Clean tells whether every order has ended and nothing was violated.
func (r Report) Clean() bool {
	for _, n := range r.Invariants {
		if n > 0 {
			return false
		}
	}
	return r.Orders.Unfinished == 0
}

func (p *play) report(found *rules.Found, pages []api.OrderPage, after rules.Books) Report {
	r := Report{
		Schema: Schema, KerfVersion: p.config.Version, Instance: p.config.Day.Name, Speed: p.clock.Speed(),
		CancelledByReason: map[string]int{}, RejectedByReason: map[string]int{}, RefusedByReason: map[string]int{},
		Ledger: LedgerSums{Imbalance: after.Ledger.Imbalance}, Invariants: found.Violations(), Violations: append([]string{}, found.Told()...),
		ReadYourWrites: map[string]ReadCounts{
			"orders": {p.reads.orders, p.reads.staleOrders}, "tracking": {p.reads.views, p.reads.staleTracking},
		},
		Restless: append([]string{}, after.Unquiet()...), Retries: p.client.Retries(),
	}
	for _, a := range after.Audits {
		r.Events += a.Written
	}
	for _, a := range p.before.Audits {
		r.Events -= a.Written
	}
	var doors, placed, approved []float64
	for i, d := range p.diners {
		page := pages[i]
		r.Outcomes = append(r.Outcomes, outcomeOf(p.config.Day.Orders[i].ID, page))
		if d.order.id == "" {
			r.RefusedByReason[d.order.refused]++
			r.Orders.Unfinished++
			continue
		}
		r.count(page)
		placed = append(placed, milliseconds(d.order.placing))
		if _, at := p.watch.view(d.order.id); !at.IsZero() {
			approved = append(approved, milliseconds(at.Sub(d.order.began)))
		}
		if page.Order.State == api.Delivered && page.Delivery != nil {
			doors = append(doors, page.Delivery.DeliveredAt.Sub(page.Order.PlacedAt).Minutes())
		}
	}
	r.ClickToDoor = Minutes{Mean: mean(doors), P50: percentile(doors, 50), P90: percentile(doors, 90)}
	r.Place = Percentiles{P50: percentile(placed, 50), P99: percentile(placed, 99)}
	r.Approve = Percentiles{P50: percentile(approved, 50), P99: percentile(approved, 99)}
	return r
}

func outcomeOf(name string, page api.OrderPage) Outcome {
	o := Outcome{Order: name, State: page.Order.State, Reason: page.Order.Reason, Total: page.Order.Total.Amount}
	if page.Payment != nil {
		o.Captured, o.Refunded = page.Payment.Captured.Amount, page.Payment.Refunded.Amount
	}
	return o
}

// count adds one acknowledged order.
func (r *Report) count(page api.OrderPage) {
	r.Orders.Placed++
	reason := page.Order.Reason
	switch page.Order.State {
	case api.Delivered:
		r.Orders.Delivered++
	case api.Rejected:
		r.Orders.Rejected++
		r.RejectedByReason[reason]++
	case api.Cancelled, api.Undeliverable:
		r.Orders.Cancelled++
		r.CancelledByReason[reason]++
	default:
		r.Orders.Unfinished++
	}
	if page.Payment != nil {
		r.Ledger.Captured += page.Payment.Captured.Amount
		r.Ledger.Refunded += page.Payment.Refunded.Amount
	}
}

func milliseconds(d time.Duration) float64 { return math.Round(d.Seconds()*1e6) / 1e3 }

func mean(values []float64) float64 {
	if len(values) == 0 {
		return 0
	}
	sum := 0.0
	for _, v := range values {
		sum += v
	}
	return math.Round(sum/float64(len(values))*100) / 100
}

// percentile is the least value that is not exceeded by n percent of them; 0 for none.
func percentile(values []float64, n int) float64 {
	if len(values) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(values))
	at := (len(sorted)*n + 99) / 100
	return math.Round(sorted[max(0, at-1)]*1000) / 1000
}
