package experiments

import (
	"math"
	"math/rand/v2"
	"testing"

	"kerf/benchmarks/lab"
)

func pointsOf(u usl, noise float64, random *rand.Rand) []lab.Point {
	var points []lab.Point
	for _, n := range []float64{1, 2, 4, 8, 16, 32} {
		off := 0.0
		if noise > 0 {
			off = noise * (2*random.Float64() - 1)
		}
		points = append(points, lab.Point{X: n, Y: u.at(n) * (1 + off)})
	}
	return points
}

func TestTheFitFindsTheLawThatMadeThePoints(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for _, planted := range []usl{
		{Lambda: 100, Sigma: 0.05, Kappa: 0.002}, {Lambda: 12, Sigma: 0.4, Kappa: 0.0003}, {Lambda: 3000, Sigma: 0, Kappa: 0.01},
		{Lambda: 50, Sigma: 0.2, Kappa: 0}, {Lambda: 80, Sigma: 1.1, Kappa: 0.0001},
	} {
		found, err := fitUSL(pointsOf(planted, 0, random))
		if err != nil {
			t.Fatal(err)
		}
		if math.Abs(found.Lambda/planted.Lambda-1) > 0.01 || math.Abs(found.Sigma-planted.Sigma) > 0.01 || math.Abs(found.Kappa-planted.Kappa) > 0.001 {
			t.Errorf("planted %+v, found %+v", planted, found)
		}
	}
}

func TestTheFitIsNearForNoisyPoints(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	planted := usl{Lambda: 60, Sigma: 0.1, Kappa: 0.003}
	_, want := planted.peak()
	for range 20 {
		found, err := fitUSL(pointsOf(planted, 0.05, random))
		if err != nil {
			t.Fatal(err)
		}
		if found.Lambda < 0 || found.Sigma < 0 || found.Kappa < 0 {
			t.Errorf("%+v has a negative parameter", found)
		}
		if _, peak := found.peak(); math.Abs(peak/want-1) > 0.1 {
			t.Errorf("the peak is %.1f, planted %.1f, by %+v", peak, want, found)
		}
	}
}

func TestAThroughputThatGrowsFasterThanItsClientsHasNoNegativeParameter(t *testing.T) {
	found, err := fitUSL([]lab.Point{{X: 1, Y: 10}, {X: 2, Y: 30}, {X: 4, Y: 90}, {X: 8, Y: 200}})
	if err != nil {
		t.Fatal(err)
	}
	if found.Sigma < 0 || found.Kappa < 0 || math.IsNaN(found.Lambda) {
		t.Errorf("found %+v", found)
	}
}

func TestALawWithoutCoherenceCostHasNoFarAwayPeak(t *testing.T) {
	found, err := fitUSL(pointsOf(usl{Lambda: 50, Sigma: 0.2}, 0, nil))
	if err != nil {
		t.Fatal(err)
	}
	if clients, _ := found.peak(); !math.IsInf(clients, 1) {
		t.Errorf("%+v has its peak at %.0f clients", found, clients)
	}
}

func TestTheFitTakesFourNumbersOfClients(t *testing.T) {
	for _, points := range [][]lab.Point{
		nil, {{X: 1, Y: 1}, {X: 2, Y: 2}, {X: 4, Y: 3}, {X: 4, Y: 3}}, {{X: 1}, {X: 2}, {X: 4}, {X: 8}},
	} {
		if found, err := fitUSL(points); err == nil {
			t.Errorf("%v gave %+v", points, found)
		}
	}
}

func TestThePeakIsWhereMoreClientsGetLess(t *testing.T) {
	u := usl{Lambda: 100, Sigma: 0.04, Kappa: 0.0024}
	clients, throughput := u.peak()
	if math.Abs(clients-20) > 1e-9 || u.at(clients-1) > throughput || u.at(clients+1) > throughput {
		t.Errorf("%.2f clients get %.2f; one less gets %.2f and one more %.2f", clients, throughput, u.at(clients-1), u.at(clients+1))
	}
	if clients, throughput := (usl{Lambda: 50, Sigma: 0.2}).peak(); !math.IsInf(clients, 1) || math.Abs(throughput-250) > 1e-9 {
		t.Errorf("without coherence cost the ceiling is %.1f at %.1f", throughput, clients)
	}
	if clients, throughput := (usl{Lambda: 50, Sigma: 1, Kappa: 0.1}).peak(); clients != 1 || throughput != 50 {
		t.Errorf("if all is serial the peak is %.1f at %.1f", throughput, clients)
	}
	if clients, throughput := (usl{Lambda: 50, Kappa: 3}).peak(); clients != 1 || throughput != 50 {
		t.Errorf("with high coherence cost the peak is %.1f at %.1f", throughput, clients)
	}
}
