package town

import (
	"errors"
	"testing"
	"time"

	"kerf/cmd/simulate/day"
)

func TestADaysArrivalsKeepItsShape(t *testing.T) {
	dir := t.TempDir()
	d := day.Small(7)
	if err := d.Write(dir); err != nil {
		t.Fatal(err)
	}
	arrivals, length, err := Day(dir, 60)
	if err != nil {
		t.Fatal(err)
	}
	// Sixty times as fast, a minute of the day is a second.
	perMinute := map[time.Duration]int{}
	for _, o := range d.Orders {
		perMinute[o.Placed/time.Minute]++
	}
	var last, first time.Duration
	n, atOneInstant := 0, 0
	for ; ; n++ {
		offset, ok := arrivals.Next()
		if !ok {
			break
		}
		if offset < last || offset > length {
			t.Fatalf("arrival %d at %s, after %s, of a day of %s", n, offset, last, length)
		}
		if n == 0 {
			first = offset
		} else if offset == last {
			atOneInstant++
		}
		last = offset
	}
	if n != len(d.Orders) || first != 0 || last != length {
		t.Errorf("%d arrivals from %s to %s, of %d orders in %s", n, first, last, len(d.Orders), length)
	}
	if crowded := len(d.Orders) - len(perMinute); crowded == 0 || atOneInstant == crowded {
		t.Errorf("%d orders share a minute with another, and %d arrive at the same instant: a minute is not to begin with a burst", crowded, atOneInstant)
	}
	whole := d.Orders[len(d.Orders)-1].Placed - d.Orders[0].Placed
	if differs := (length*60 - whole).Abs(); differs > time.Minute {
		t.Errorf("the day takes %s, and is %s long", length, whole)
	}
}

func TestADayThatIsNotThereIsTold(t *testing.T) {
	_, _, err := Day(t.TempDir(), 1)
	if _, told := errors.AsType[*day.Error](err); !told {
		t.Errorf("got %v", err)
	}
	if _, length, err := Day("", 0); err != nil || length < time.Hour {
		t.Errorf("the small day takes %s, %v", length, err)
	}
}
