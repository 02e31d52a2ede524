package geo

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"testing"

	"kerf/platform/fault"
)

func TestDistanceFollowsTheGreatCircle(t *testing.T) {
	vienna, graz := Position{48.20849, 16.37208}, Position{47.07071, 15.43950}
	for _, c := range []struct {
		name   string
		a, b   Position
		metres float64
	}{
		{"nowhere", vienna, vienna, 0},
		{"Vienna to Graz", vienna, graz, 144_730},
		{"a quarter of a meridian", Position{0, 0}, Position{90, 123}, earthRadius * math.Pi / 2},
		{"to the other side", Position{10, 20}, Position{-10, -160}, earthRadius * math.Pi},
		{"over the antimeridian", Position{0, 179.5}, Position{0, -179.5}, radians(1) * earthRadius},
	} {
		if d := c.a.Distance(c.b); math.Abs(d-c.metres) > 1+c.metres*0.003 {
			t.Errorf("%s: %.0f m, want %.0f", c.name, d, c.metres)
		}
		if c.a.Distance(c.b) != c.b.Distance(c.a) {
			t.Errorf("%s: the way back is of another length", c.name)
		}
	}
}

func TestPositionsOffTheGlobeAreNotValid(t *testing.T) {
	for _, p := range []Position{{91, 0}, {-90.1, 0}, {0, 180.5}, {0, -181}, {math.NaN(), 0}, {0, math.NaN()}, {math.Inf(1), 0}, {0, math.Inf(-1)}} {
		if p.Valid() {
			t.Errorf("%v is valid", p)
		}
	}
	for _, p := range []Position{{90, 180}, {-90, -180}, {0, 0}} {
		if !p.Valid() {
			t.Errorf("%v is not valid", p)
		}
	}
}

func TestAPositionInJSONHasBothCoordinatesAndNothingElse(t *testing.T) {
	for text, field := range map[string]string{
		`{"latitude":48.2}`: "longitude", `{"longitude":1}`: "latitude", `{"latitude":null,"longitude":1}`: "latitude", `{"latitude":"1","longitude":1}`: "latitude",
		`{"latitude":1,"longitude":1,"altitude":1}`: "altitude", `[1,2]`: "", `null`: "", `{"latitude":1e999,"longitude":1}`: "latitude",
	} {
		var p Position
		f := fault.As(p.UnmarshalJSON([]byte(text)))
		if f == nil || f.Kind != fault.KindInvalid || f.Violations[0].Field != field {
			t.Errorf("%s gives %v, %v", text, p, f)
		}
	}
	p, back := Position{48.25, -16.5}, Position{}
	text, err := json.Marshal(p)
	if err != nil || string(text) != `{"latitude":48.25,"longitude":-16.5}` || json.Unmarshal(text, &back) != nil || back != p {
		t.Errorf("%v is %s, and then %v", p, text, back)
	}
}

func TestAPositionPassesThroughItsMessage(t *testing.T) {
	p := Position{48.25, -16.5}
	if back := FromProto(p.ToProto()); back != p || FromProto(nil) != (Position{}) {
		t.Errorf("%v becomes %v", p, back)
	}
}

func TestABoxHoldsAllThatIsWithinTheRadius(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	for range 200_000 {
		centre := Position{random.Float64()*180 - 90, random.Float64()*360 - 180}
		if random.IntN(2) == 0 {
			centre.Longitude = 180 - random.Float64()
		}
		radius := random.Float64() * 100_000
		angle, bearing := random.Float64()*radius/earthRadius, random.Float64()*2*math.Pi
		if random.IntN(2) == 0 {
			angle = radius / earthRadius * (1 - 1e-9)
		}
		p := towards(centre, angle, bearing)
		if centre.Distance(p) <= radius && !Around(centre, radius).Holds(p) {
			t.Fatalf("%v is %.3f m from %v, within %.3f, but not in %+v", p, centre.Distance(p), centre, radius, Around(centre, radius))
		}
	}
}

func TestABoxLeavesOutWhatIsFarAway(t *testing.T) {
	b := Around(Position{48, 16}, 5000)
	for _, p := range []Position{{48.1, 16}, {47.9, 16}, {48, 16.1}, {48, 15.9}} {
		if b.Holds(p) {
			t.Errorf("the box %+v holds %v", b, p)
		}
	}
}

// towards returns where one comes who goes an angle along a great circle.
func towards(p Position, angle, bearing float64) Position {
	lat, lon := radians(p.Latitude), radians(p.Longitude)
	lat2 := math.Asin(math.Sin(lat)*math.Cos(angle) + math.Cos(lat)*math.Sin(angle)*math.Cos(bearing))
	lon2 := lon + math.Atan2(math.Sin(bearing)*math.Sin(angle)*math.Cos(lat), math.Cos(angle)-math.Sin(lat)*math.Sin(lat2))
	return Position{degrees(lat2), wrap(degrees(lon2))}
}
