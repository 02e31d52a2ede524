package day

import (
	"math"
	"time"
)

// Day is one instance. Times are offsets from midnight of its first day.
type Day struct {
	Name        string
	Orders      []Order
	Couriers    []Courier
	Restaurants []Restaurant
	Parameters  Parameters
}

// Point is a place on the instance's plane, in metres.
type Point struct{ X, Y float64 }

// Order is one order: where it goes, when it is placed, and when its restaurant has it ready.
type Order struct {
	ID         string
	To         Point
	Placed     time.Duration
	Restaurant string
	Ready      time.Duration
}

// Courier is one shift, and where it begins.
type Courier struct {
	ID      string
	At      Point
	On, Off time.Duration
}

// Restaurant is a place that orders are picked up from.
type Restaurant struct {
	ID string
	At Point
}

// Parameters are the constants of an instance.
type Parameters struct {
	MetresPerMinute float64
	// Time spent at the counter and at the door.
	PickupService, DropoffService time.Duration
	// The click-to-door time that is promised, and the one that is never to be exceeded.
	TargetClickToDoor, MaximumClickToDoor time.Duration
	// What couriers are paid, in the instance's unit of money. Kerf does not use them.
	PayPerOrder, GuaranteedPayPerHour float64
}

// Distance is the straight way between two points, in metres.
func Distance(a, b Point) float64 { return math.Hypot(a.X-b.X, a.Y-b.Y) }

// Travel is the time from one point to another at the instance's speed, in whole minutes rounded up as the instances count it.
func (p Parameters) Travel(a, b Point) time.Duration {
	return time.Duration(math.Ceil(Distance(a, b)/p.MetresPerMinute)) * time.Minute
}

// Where the plane's origin lies on the earth. Any place away from the poles would do: the instances are anonymous.
const (
	originLatitude  = 52.0
	originLongitude = 5.0
	// Metres in one degree of latitude on a sphere of the earth's mean radius, 6,371,008.8 m.
	metresPerDegree = 6371008.8 * math.Pi / 180
)

// Degrees returns where on the earth a point of the plane lies: latitude and longitude, WGS 84. Over the extent of an instance,
// some ten kilometres, great-circle distances differ from the plane's by less than one in a thousand.
func (p Point) Degrees() (latitude, longitude float64) {
	return originLatitude + p.Y/metresPerDegree,
		originLongitude + p.X/(metresPerDegree*math.Cos(originLatitude*math.Pi/180))
}

// PointAt is the point of the plane that lies there on the earth: what Degrees takes apart.
func PointAt(latitude, longitude float64) Point {
	return Point{
		X: (longitude - originLongitude) * metresPerDegree * math.Cos(originLatitude*math.Pi/180),
		Y: (latitude - originLatitude) * metresPerDegree,
	}
}
