package experiments

import (
	"errors"
	"math"
	"testing"
)

func TestTheSearchFindsAPlantedKnee(t *testing.T) {
	s := search{Begin: 60, Factor: 1.5, Near: 1.1, Steps: 12}
	for _, planted := range []float64{7, 39, 40, 59, 61, 100, 137, 650} {
		steps := 0
		found, err := s.run(func(rate float64) (bool, error) {
			steps++
			return rate <= planted, nil
		})
		if err != nil {
			t.Fatal(err)
		}
		knee, ok := found.knee()
		if !ok || knee/planted > 1.1 || planted/knee > 1.1 || found.Borne > planted || found.Broke <= planted {
			t.Errorf("planted %.0f, found %+v after %d steps", planted, found, steps)
		}
	}
}

func TestANearKneeTakesFewSteps(t *testing.T) {
	for _, planted := range []float64{50, 70} {
		steps := 0
		found, _ := search{Begin: 60, Factor: 1.5, Near: 1.11, Steps: 5}.run(func(rate float64) (bool, error) {
			steps++
			return rate <= planted, nil
		})
		if _, ok := found.knee(); !ok || steps > 5 || found.Broke/found.Borne > 1.11 {
			t.Errorf("planted %.0f, found %+v in %d steps", planted, found, steps)
		}
	}
}

func TestASearchThatEndsEarlySaysThatItsRateIsABound(t *testing.T) {
	s := search{Begin: 10, Factor: 2, Near: 1.1, Steps: 3}
	all, _ := s.run(func(float64) (bool, error) { return true, nil })
	if rate, ok := all.knee(); ok || rate != 40 {
		t.Errorf("the knee of a server that bears all is %.0f, %t", rate, ok)
	}
	none, _ := s.run(func(float64) (bool, error) { return false, nil })
	if rate, ok := none.knee(); ok || rate != 2.5 || none.Borne != 0 {
		t.Errorf("the knee of a server that bears nothing is %.1f, %t", rate, ok)
	}
}

func TestASearchEndsWithItsServer(t *testing.T) {
	broken := errors.New("gone")
	if _, err := (search{Begin: 1, Factor: 2, Near: 1.1, Steps: 3}).run(func(float64) (bool, error) { return false, broken }); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

func TestAServerIsForgivenTheSameShareOfLateRequestsHoweverManyCame(t *testing.T) {
	for _, n := range []int64{300, 1000, 10_000} {
		if tooMany(n/100, n, 0.01) {
			t.Errorf("1 %% of %d is too many", n)
		}
		if !tooMany(n/100+1, n, 0.01) {
			t.Errorf("one more than 1 %% of %d is not too many", n)
		}
	}
	if tooMany(0, 0, 0.01) {
		t.Error("none of none is too many")
	}
}

func TestTheKneeLiesBetweenWhatWasBorneAndWhatWasNot(t *testing.T) {
	if rate, ok := (bracket{40, 90}).knee(); !ok || math.Abs(rate-60) > 1e-9 {
		t.Errorf("got %.1f", rate)
	}
}
