package play

import (
	"testing"
	"time"
)

// TestScriptedCancelsMeetTheirStates has every order cancelled, in turn at each state, and looks at what it cost.
func TestScriptedCancelsMeetTheirStates(t *testing.T) {
	server := startServer(t, t.TempDir(), 1200, "127.0.0.1:0")
	d := shortDay(10)
	for i := range d.Couriers {
		d.Couriers[i].On, d.Couriers[i].Off = 0, 24*time.Hour
	}
	report, err := Run(t.Context(), Config{Day: d, Target: server.url, CancelEvery: 1})
	if err != nil {
		t.Fatal(err)
	}
	if !report.Clean() {
		t.Errorf("violations: %v", report.Violations)
	}
	for i, o := range report.Outcomes {
		state, captured := "CANCELLED", int64(300) // the fee of every restaurant of a day
		switch at := cancelAt[(i+1)%len(cancelAt)]; at {
		case "AWAITING_ACCEPTANCE":
			captured = 0
		case pickedUp:
			state, captured = "DELIVERED", o.Total
		}
		if o.State != state || o.Captured != captured {
			t.Errorf("order %s, cancelled at %s, is %s and was charged %d; want %s, %d", o.Order, cancelAt[(i+1)%len(cancelAt)], o.State, o.Captured,
				state, captured)
		}
	}
}
