package acceptance

import (
	"os"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kerf/cmd/simulate/day"
	"kerf/cmd/simulate/play"
)

// apart is one process per module on the real servers, where those are there, and else on what needs nothing installed.
func apart() cut {
	c := everywhere
	if os.Getenv("KERF_TEST_KAFKA") != "" {
		c.bus = "kafka"
	}
	if os.Getenv("KERF_TEST_POSTGRES") != "" {
		c.database = "postgres"
	}
	c.replicas = 1
	return c
}

// TestTheSameDayEndsAlikeInEveryShape plays a day in the monolith and in one process per module. With couriers for everybody, and diners who
// cancel at fixed states, every order ends alike, for the same money. On a day whose couriers are scarce, who gets one depends on the
// moment; there the orders that end alike cost the same.
func TestTheSameDayEndsAlikeInEveryShape(t *testing.T) {
	whole := cut{name: "monolith", bus: "memory", format: "protobuf", protocol: "grpc", database: "sqlite", replicas: 1}
	ample := day.Small(day.DefaultSeed)
	for i := range ample.Couriers {
		ample.Couriers[i].On, ample.Couriers[i].Off = 0, 24*time.Hour
	}
	more := ample.Couriers
	for _, suffix := range []string{"b", "c", "d"} {
		for _, courier := range more {
			courier.ID += suffix
			ample.Couriers = append(ample.Couriers, courier)
		}
	}
	for _, c := range []struct {
		name   string
		day    day.Day
		cancel int
		alike  bool
	}{
		{"with couriers for everybody", ample, 2, true},
		{"with the couriers that there are", day.Small(day.DefaultSeed), 0, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			one := playOn(t, whole, c.day, c.cancel)
			other := playOn(t, apart(), c.day, c.cancel)
			if !c.alike {
				one, other = alike(one, other)
				if len(one) < len(c.day.Orders)*3/4 {
					t.Errorf("only %d of %d orders ended alike", len(one), len(c.day.Orders))
				}
			}
			if diff := cmp.Diff(one, other); diff != "" {
				t.Errorf("the monolith (-) and one process per module (+) differ:\n%s", diff)
			}
		})
	}
}

// playOn plays a day on a shape, fast, and returns what became of its orders.
func playOn(t *testing.T, c cut, d day.Day, cancelEvery int) (outcomes []play.Outcome) {
	t.Helper()
	t.Run(c.String(), func(t *testing.T) {
		s := c.start(t, 600)
		report, err := play.Run(t.Context(), play.Config{Day: d, Target: s.url, Speed: 600, CancelEvery: cancelEvery, Version: "acceptance"})
		if err != nil {
			t.Fatal(err)
		}
		if !report.Clean() || report.Orders.Placed != len(d.Orders) {
			t.Errorf("%+v %v %v\n%s", report.Orders, report.Invariants, report.Restless, strings.Join(report.Violations, "\n"))
		}
		t.Logf("%+v, captured %d, placed in %+v ms, approved in %+v ms", report.Orders, report.Ledger.Captured, report.Place, report.Approve)
		outcomes = report.Outcomes
	})
	return outcomes
}

// alike leaves the orders that ended in the same state for the same reason.
func alike(one, other []play.Outcome) (a, b []play.Outcome) {
	for i := range one {
		if one[i].State == other[i].State && one[i].Reason == other[i].Reason {
			a, b = append(a, one[i]), append(b, other[i])
		}
	}
	return a, b
}
