package day

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// DefaultSeed is the seed of the day in small/.
const DefaultSeed = 1

// Small makes the small day that ships with Kerf: four hours of a town with a lunch peak. The same seed makes the same day.
//
// Restaurants cluster around two squares; diners live within three kilometres of the restaurant they choose; every third restaurant is
// twice as popular. Couriers work shifts of two or three hours that overlap.
func Small(seed uint64) Day {
	const (
		restaurants = 12
		couriers    = 18
		orders      = 60
		length      = 240 // minutes
	)
	random := rand.New(rand.NewPCG(seed, 0))
	near := func(center Point, deviation float64) Point {
		return Point{math.Round(center.X + random.NormFloat64()*deviation), math.Round(center.Y + random.NormFloat64()*deviation)}
	}
	d := Day{Name: "small", Parameters: Parameters{MetresPerMinute: 320, PickupService: 4 * time.Minute, DropoffService: 4 * time.Minute,
		TargetClickToDoor: 40 * time.Minute, MaximumClickToDoor: 90 * time.Minute, PayPerOrder: 10, GuaranteedPayPerHour: 15}}
	squares := []Point{{3000, 3000}, {5500, 4200}}
	var popular []int
	for i := range restaurants {
		d.Restaurants = append(d.Restaurants, Restaurant{ID: fmt.Sprintf("r%d", i+1), At: near(squares[i%2], 600)})
		popular = append(popular, i)
		if i%3 == 0 {
			popular = append(popular, i)
		}
	}
	for i := range couriers {
		on := time.Duration(i%4) * 30 * time.Minute
		off := min(on+time.Duration(2+i%2)*time.Hour, length*time.Minute+30*time.Minute)
		d.Couriers = append(d.Couriers, Courier{ID: fmt.Sprintf("c%d", i+1), At: near(squares[i%2], 1500), On: on, Off: off})
	}
	for range orders {
		r := d.Restaurants[popular[random.IntN(len(popular))]]
		// The mean of two uniform draws has its peak in the middle of the day.
		placed := math.Floor((random.Float64() + random.Float64()) / 2 * (length - 60))
		preparation := 5 + math.Floor(random.ExpFloat64()*9)
		angle, distance := random.Float64()*2*math.Pi, 200+random.Float64()*2800
		to := Point{math.Round(r.At.X + math.Cos(angle)*distance), math.Round(r.At.Y + math.Sin(angle)*distance)}
		d.Orders = append(d.Orders, Order{To: to, Placed: time.Duration(placed) * time.Minute, Restaurant: r.ID,
			Ready: time.Duration(placed+min(preparation, 40)) * time.Minute})
	}
	slices.SortStableFunc(d.Orders, func(a, b Order) int { return int(a.Placed - b.Placed) })
	for i := range d.Orders {
		d.Orders[i].ID = fmt.Sprintf("o%d", i+1)
	}
	return d
}

// Write writes the day's four files into dir, which must exist.
func (d Day) Write(dir string) error {
	number := func(v float64) string { return strconv.FormatFloat(v, 'f', -1, 64) }
	minutes := func(t time.Duration) string { return number(t.Minutes()) }
	var restaurants, couriers, orders [][]string
	for _, r := range d.Restaurants {
		restaurants = append(restaurants, []string{r.ID, number(r.At.X), number(r.At.Y)})
	}
	for _, c := range d.Couriers {
		couriers = append(couriers, []string{c.ID, number(c.At.X), number(c.At.Y), minutes(c.On), minutes(c.Off)})
	}
	for _, o := range d.Orders {
		orders = append(orders, []string{o.ID, number(o.To.X), number(o.To.Y), minutes(o.Placed), o.Restaurant, minutes(o.Ready)})
	}
	p := d.Parameters
	parameters := [][]string{{number(p.MetresPerMinute), minutes(p.PickupService), minutes(p.DropoffService), minutes(p.TargetClickToDoor),
		minutes(p.MaximumClickToDoor), number(p.PayPerOrder), number(p.GuaranteedPayPerHour)}}
	for _, file := range []struct {
		name    string
		columns []string
		rows    [][]string
	}{
		{"instance_parameters.txt", parameterColumns, parameters},
		{"restaurants.txt", restaurantColumns, restaurants},
		{"couriers.txt", courierColumns, couriers},
		{"orders.txt", orderColumns, orders},
	} {
		var text strings.Builder
		for _, row := range append([][]string{file.columns}, file.rows...) {
			text.WriteString(strings.Join(row, "\t") + "\n")
		}
		if err := os.WriteFile(filepath.Join(dir, file.name), []byte(text.String()), 0o644); err != nil {
			return fmt.Errorf("writing the day: %w", err)
		}
	}
	return nil
}
