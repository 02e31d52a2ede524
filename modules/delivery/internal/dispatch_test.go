package internal

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"kerf/platform/geo"
)

const testSlack = 10 * time.Minute

// at is a place so many minutes of road north of the counter.
func at(minutes float64) geo.Position { return north(counter, minutes*testRoad.speed) }

func food(orderID string, place float64, in time.Duration) waiting {
	return waiting{orderID: orderID, pickup: at(place), foodAt: noon.Add(in), until: noon.Add(24 * time.Hour)}
}

func assigned(deliveries []waiting, couriers ...free) map[string]string {
	got := map[string]string{}
	for _, p := range assign(noon, deliveries, couriers, testRoad, testSlack) {
		got[p.orderID] = p.courierID
	}
	return got
}

func TestTheCheapestPairComesFirst(t *testing.T) {
	for _, c := range []struct {
		name       string
		deliveries []waiting
		couriers   []free
		want       map[string]string
	}{
		{
			"the nearest courier",
			[]waiting{food("a", 0, 0)}, []free{{"far", at(9)}, {"near", at(2)}},
			map[string]string{"a": "near"},
		},
		{
			"each its own",
			[]waiting{food("a", 0, 0), food("b", 20, 0)}, []free{{"x", at(19)}, {"y", at(3)}},
			map[string]string{"a": "y", "b": "x"},
		},
		{
			"one courier: the food that waits, before the food that will",
			[]waiting{food("soon", 0, 6*time.Minute), food("now", 0, 0)}, []free{{"x", at(1)}},
			map[string]string{"now": "x"},
		},
		{
			"one courier: the food that has waited longest, though the other is nearer",
			[]waiting{food("near", 1, -time.Minute), food("old", 5, -20*time.Minute)}, []free{{"x", at(0)}},
			map[string]string{"old": "x"},
		},
		{
			"who would be there before the food all cost the same: the shorter way",
			[]waiting{food("a", 0, 9*time.Minute)}, []free{{"farther", at(8)}, {"nearer", at(4)}},
			map[string]string{"a": "nearer"},
		},
		{
			"being late costs more than being early",
			[]waiting{food("a", 10, 2*time.Minute), food("b", 0, 8*time.Minute)}, []free{{"x", at(6)}},
			map[string]string{"b": "x"},
		},
		{"nobody", []waiting{food("a", 0, 0)}, nil, map[string]string{}},
		{"nothing", nil, []free{{"x", at(0)}}, map[string]string{}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if diff := cmp.Diff(c.want, assigned(c.deliveries, c.couriers...)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNoCourierIsSentLongBeforeTheFood(t *testing.T) {
	for _, c := range []struct {
		food, way time.Duration
		sent      bool
	}{
		{30 * time.Minute, 5 * time.Minute, false},
		{30 * time.Minute, 21 * time.Minute, true}, // the way takes most of it
		{16 * time.Minute, 5 * time.Minute, false},
		{15 * time.Minute, 5*time.Minute + time.Second, true},
		{-time.Hour, time.Minute, true},
	} {
		got := assigned([]waiting{food("a", 0, c.food)}, free{"x", at(c.way.Minutes())})
		if sent := len(got) > 0; sent != c.sent {
			t.Errorf("food in %v, courier %v away: sent %v", c.food, c.way, sent)
		}
	}
}

func TestWhoCouldNotComeInTimeIsNotAsked(t *testing.T) {
	for _, c := range []struct {
		left, way time.Duration // until the delivery is given up, and to its counter
		asked     bool
	}{
		{time.Hour, 59 * time.Minute, true},
		{time.Hour, 61 * time.Minute, false},
		{10 * time.Minute, 11 * time.Minute, false},
		{time.Minute, 7 * time.Minute, true}, // near enough to be worth it
	} {
		a := food("a", 0, 0)
		a.until = noon.Add(c.left)
		if got := assigned([]waiting{a}, free{"x", at(c.way.Minutes())}); (got["a"] == "x") != c.asked {
			t.Errorf("%v left, %v away: asked %v", c.left, c.way, got)
		}
	}
	// Who is too far for one order is free for another.
	a, b := food("a", 0, -20*time.Minute), food("b", 80, 0)
	a.until = noon.Add(40 * time.Minute)
	if got := assigned([]waiting{a, b}, free{"x", at(75)}); got["b"] != "x" {
		t.Errorf("asked %v", got)
	}
}

func TestWhoTurnedAnOrderDownIsNotAsked(t *testing.T) {
	a := food("a", 0, 0)
	a.turnedDown = map[string]bool{"near": true}
	if got := assigned([]waiting{a}, free{"near", at(1)}, free{"far", at(9)}); got["a"] != "far" {
		t.Errorf("asked %v", got)
	}
	if got := assigned([]waiting{a}, free{"near", at(1)}); len(got) != 0 {
		t.Errorf("asked %v", got)
	}
}

func TestNothingIsGivenTwiceAndNobodyIsLeftIdle(t *testing.T) {
	const seed = 20260302
	random := rand.New(rand.NewPCG(seed, 1))
	for round := range 200 {
		deliveries := make([]waiting, random.IntN(40))
		for i := range deliveries {
			deliveries[i] = food(fmt.Sprint("o", i), random.Float64()*30, time.Duration(random.IntN(3600)-2400)*time.Second)
		}
		couriers := make([]free, random.IntN(40))
		for i := range couriers {
			couriers[i] = free{fmt.Sprint("c", i), at(random.Float64() * 30)}
		}
		orders, busy := map[string]bool{}, map[string]bool{}
		for _, p := range assign(noon, deliveries, couriers, testRoad, testSlack) {
			if orders[p.orderID] || busy[p.courierID] {
				t.Fatalf("seed %d, round %d: %s or %s given twice", seed, round, p.orderID, p.courierID)
			}
			orders[p.orderID], busy[p.courierID] = true, true
		}
		due := 0
		for _, d := range deliveries {
			if d.foodAt.Sub(noon) <= testSlack {
				due++
			}
		}
		if len(orders) < min(due, len(couriers)) {
			t.Errorf("seed %d, round %d: %d given of %d due to %d couriers", seed, round, len(orders), due, len(couriers))
		}
	}
}

func BenchmarkAssign(b *testing.B) {
	random := rand.New(rand.NewPCG(1, 1))
	deliveries := make([]waiting, 300)
	for i := range deliveries {
		deliveries[i] = food(fmt.Sprint("o", i), random.Float64()*30, 0)
	}
	couriers := make([]free, 200)
	for i := range couriers {
		couriers[i] = free{fmt.Sprint("c", i), at(random.Float64() * 30)}
	}
	for b.Loop() {
		assign(noon, deliveries, couriers, testRoad, testSlack)
	}
}
