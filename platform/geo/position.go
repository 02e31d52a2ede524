package geo

import (
	"encoding/json"
	"math"

	"kerf/platform/fault"
	"kerf/platform/kerfpb"
)

// Position is a point on the earth, WGS 84 degrees.
type Position struct {
	Latitude  float64 `json:"latitude"`
	Longitude float64 `json:"longitude"`
}

// earthRadius is the mean radius in metres. The earth is taken for a sphere: within a city that is off by less than 0.6 %.
const earthRadius = 6_371_008.8

// Valid tells whether both coordinates are finite and on the globe.
func (p Position) Valid() bool {
	return p.Latitude >= -90 && p.Latitude <= 90 && p.Longitude >= -180 && p.Longitude <= 180 // false for NaN
}

// Check notes a violation of the field unless there is a position, and a valid one.
func (p *Position) Check(c *fault.Checks, field string) {
	c.That(p != nil && p.Valid(), field, "must have latitude -90 to 90 and longitude -180 to 180")
}

// UnmarshalJSON reads {"latitude":48.2,"longitude":16.4} and nothing less or more. Invalid, with violations that name the member.
// Whether the position is on the globe is for Valid to say.
func (p *Position) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil || raw == nil {
		return violation("", "must be an object with latitude and longitude")
	}
	for name := range raw {
		if name != "latitude" && name != "longitude" {
			return violation(name, "is not known")
		}
	}
	var read Position
	for _, member := range []struct {
		name string
		into *float64
	}{{"latitude", &read.Latitude}, {"longitude", &read.Longitude}} {
		text, given := raw[member.name]
		if !given || string(text) == "null" || json.Unmarshal(text, member.into) != nil {
			return violation(member.name, "must be a number of degrees")
		}
	}
	*p = read
	return nil
}

func violation(field, description string) error {
	return fault.Invalid(fault.Violation{Field: field, Description: description})
}

// ToProto returns the message that carries p between modules.
func (p Position) ToProto() *kerfpb.Position {
	return &kerfpb.Position{Latitude: p.Latitude, Longitude: p.Longitude}
}

// FromProto returns the position of a message, and the zero Position for none. It checks nothing.
func FromProto(p *kerfpb.Position) Position {
	return Position{Latitude: p.GetLatitude(), Longitude: p.GetLongitude()}
}

// Distance returns the metres between two positions along the great circle.
func (p Position) Distance(q Position) float64 {
	lat1, lat2 := radians(p.Latitude), radians(q.Latitude)
	sinLat, sinLon := math.Sin((lat2-lat1)/2), math.Sin(radians(q.Longitude-p.Longitude)/2)
	h := sinLat*sinLat + math.Cos(lat1)*math.Cos(lat2)*sinLon*sinLon
	return 2 * earthRadius * math.Asin(math.Sqrt(min(1, h)))
}

// Box is a range of coordinates, in degrees. West > East when it crosses the antimeridian.
type Box struct{ South, North, West, East float64 }

// Around returns a box that holds every position within radius metres of p, and some that are farther.
func Around(p Position, radius float64) Box {
	const margin = 1e-9 // degrees; a position exactly on the circle must not fall to rounding
	angle := radius / earthRadius
	b := Box{p.Latitude - degrees(angle) - margin, p.Latitude + degrees(angle) + margin, -180, 180}
	if b.South <= -90 || b.North >= 90 {
		return b // the circle holds a pole, so every longitude
	}
	spread := degrees(math.Asin(min(1, math.Sin(angle)/math.Cos(radians(p.Latitude))))) + margin
	b.West, b.East = wrap(p.Longitude-spread), wrap(p.Longitude+spread)
	return b
}

// Holds tells whether a position lies in the box.
func (b Box) Holds(p Position) bool {
	if p.Latitude < b.South || p.Latitude > b.North {
		return false
	}
	if b.West <= b.East {
		return p.Longitude >= b.West && p.Longitude <= b.East
	}
	return p.Longitude >= b.West || p.Longitude <= b.East
}

func wrap(longitude float64) float64 {
	switch {
	case longitude < -180:
		return longitude + 360
	case longitude > 180:
		return longitude - 360
	}
	return longitude
}

func radians(degrees float64) float64 { return degrees * math.Pi / 180 }
func degrees(radians float64) float64 { return radians * 180 / math.Pi }
