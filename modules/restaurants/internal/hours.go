package internal

import (
	"cmp"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"kerf/platform/fault"
)

// Hours says when a restaurant is open, on the clock that hangs on its wall. The zero value is never open.
//
// A period belongs to the day on which it opens, and goes over midnight when it closes at or before the time it opens. An
// exception replaces the periods of its date; what goes over midnight from the day before stays.
type Hours struct {
	// Always is round the clock; it excludes all else.
	Always     bool        `json:"always,omitempty"`
	Weekly     []Weekly    `json:"weekly,omitempty"`
	Exceptions []Exception `json:"exceptions,omitempty"`
}

// Weekly is a period of each week.
type Weekly struct {
	// Day is the English name in lower case, such as monday.
	Day    string     `json:"day"`
	Opens  *ClockTime `json:"opens"`
	Closes *ClockTime `json:"closes"`
}

// Exception is a period of one date, or says that the restaurant does not open on it. A date may have several periods.
type Exception struct {
	// Date is YYYY-MM-DD.
	Date   string     `json:"date"`
	Closed bool       `json:"closed,omitempty"`
	Opens  *ClockTime `json:"opens,omitempty"`
	Closes *ClockTime `json:"closes,omitempty"`
}

// ClockTime is a time of day in minutes after midnight, 0 to 1440; in JSON "00:00" to "24:00".
type ClockTime int

const (
	dayMinutes    = 24 * 60
	maxWeekly     = 50
	maxExceptions = 400
)

var weekdays = map[string]time.Weekday{
	"sunday": time.Sunday, "monday": time.Monday, "tuesday": time.Tuesday, "wednesday": time.Wednesday,
	"thursday": time.Thursday, "friday": time.Friday, "saturday": time.Saturday,
}

// OpenAt tells whether the hours hold at an instant, in the restaurant's zone. A period begins when the local clock first shows its
// opening time or a later one, and ends likewise: so a time that the change to summer stepped over is the moment of the change,
// and of a time that the change back shows twice the first counts. No period is open twice in one night.
func (h Hours) OpenAt(t time.Time, zone *time.Location) bool {
	if h.Always {
		return true
	}
	if len(h.Weekly) == 0 && len(h.Exceptions) == 0 {
		return false
	}
	year, month, day := t.In(zone).Date()
	// The day before for periods over midnight; one more on either side for zones that turn their clock back over midnight, or skip a day.
	for offset := -2; offset <= 1; offset++ {
		date := time.Date(year, month, day+offset, 0, 0, 0, 0, time.UTC)
		for _, p := range h.periods(date) {
			if !t.Before(instant(date, p.opens, zone)) && t.Before(instant(date, p.closes, zone)) {
				return true
			}
		}
	}
	return false
}

// period is a span of minutes after the midnight that begins its date; closes may lie on the next day.
type period struct{ opens, closes int }

func newPeriod(opens, closes ClockTime) period {
	if closes <= opens {
		return period{int(opens), int(closes) + dayMinutes}
	}
	return period{int(opens), int(closes)}
}

// periods returns those that open on a date.
func (h Hours) periods(date time.Time) []period {
	var found []period
	name, excepted := date.Format(time.DateOnly), false
	for _, e := range h.Exceptions {
		if e.Date != name {
			continue
		}
		excepted = true
		if !e.Closed {
			found = append(found, newPeriod(*e.Opens, *e.Closes))
		}
	}
	if excepted {
		return found
	}
	for _, w := range h.Weekly {
		if weekdays[w.Day] == date.Weekday() {
			found = append(found, newPeriod(*w.Opens, *w.Closes))
		}
	}
	return found
}

// instant returns the first instant at which clocks in the zone show the minute of the date (given in UTC) or a later one.
// time.Date does not do: it does not say what it makes of a time that a change of the clock skips or shows twice.
func instant(date time.Time, minute int, zone *time.Location) time.Time {
	shown := date.Add(time.Duration(minute) * time.Minute)
	at := shown.Add(-26 * time.Hour).In(zone) // no zone is so far from UTC, so clocks show less here
	for {
		start, end := at.ZoneBounds()
		_, offset := at.Zone()
		found := shown.Add(-time.Duration(offset) * time.Second)
		if !start.IsZero() && found.Before(start) {
			found = start
		}
		if end.IsZero() || found.Before(end) {
			return found
		}
		at = end.In(zone)
	}
}

// violations lists what is wrong, with fields below the given path.
func (h Hours) violations(path string) fault.Checks {
	var v violations
	v.That(!h.Always || len(h.Weekly)+len(h.Exceptions) == 0, join(path, "always"), "excludes weekly and exceptions")
	v.That(len(h.Weekly) <= maxWeekly, join(path, "weekly"), "must have at most %d periods", maxWeekly)
	v.That(len(h.Exceptions) <= maxExceptions, join(path, "exceptions"), "must have at most %d entries", maxExceptions)
	for i, w := range h.Weekly[:min(len(h.Weekly), maxWeekly)] {
		at := fmt.Sprintf("%s[%d]", join(path, "weekly"), i)
		_, known := weekdays[w.Day]
		v.That(known, at+".day", "must be the name of a weekday, such as monday")
		v.That(w.Opens != nil, at+".opens", "is missing")
		v.That(w.Closes != nil, at+".closes", "is missing")
		v.checkPeriod(at, w.Opens, w.Closes)
	}
	closed, open := map[string]bool{}, map[string]bool{}
	for i, e := range h.Exceptions[:min(len(h.Exceptions), maxExceptions)] {
		at := fmt.Sprintf("%s[%d]", join(path, "exceptions"), i)
		_, err := time.Parse(time.DateOnly, e.Date)
		v.That(err == nil, at+".date", "must be a date YYYY-MM-DD")
		switch {
		case e.Closed:
			v.That(e.Opens == nil && e.Closes == nil, at, "must have either closed or opens and closes")
			v.That(!closed[e.Date] && !open[e.Date], at+".date", "is closed and has another entry")
			closed[e.Date] = true
		case e.Opens == nil || e.Closes == nil:
			v.That(false, at, "must have either closed or opens and closes")
		default:
			v.That(!closed[e.Date], at+".date", "is closed and has another entry")
			open[e.Date] = true
			v.checkPeriod(at, e.Opens, e.Closes)
		}
	}
	return v.Checks
}

func join(path, field string) string {
	if path == "" {
		return field
	}
	return path + "." + field
}

func (v *violations) checkPeriod(at string, opens, closes *ClockTime) {
	if opens == nil || closes == nil {
		return
	}
	v.That(*opens < dayMinutes, at+".opens", "must be before 24:00")
	v.That(*opens != *closes, at+".closes", "must differ from opens; round the clock is 00:00 to 24:00")
}

// sorted returns the hours in calendar order, so that equal hours are stored and shown alike.
func (h Hours) sorted() Hours {
	h.Weekly, h.Exceptions = slices.Clone(h.Weekly), slices.Clone(h.Exceptions)
	slices.SortStableFunc(h.Weekly, func(a, b Weekly) int {
		monday := func(d string) int { return (int(weekdays[d]) + 6) % 7 }
		return cmp.Or(cmp.Compare(monday(a.Day), monday(b.Day)), cmp.Compare(*a.Opens, *b.Opens))
	})
	slices.SortStableFunc(h.Exceptions, func(a, b Exception) int { return cmp.Compare(a.Date, b.Date) })
	return h
}

// MarshalText writes "HH:MM".
func (c ClockTime) MarshalText() ([]byte, error) {
	return fmt.Appendf(nil, "%02d:%02d", int(c)/60, int(c)%60), nil
}

// UnmarshalText reads "HH:MM", 00:00 to 24:00.
func (c *ClockTime) UnmarshalText(text []byte) error {
	if string(text) == "24:00" {
		*c = dayMinutes
		return nil
	}
	t, err := time.Parse("15:04", string(text))
	if err != nil || len(text) != 5 {
		return fault.Invalid(fault.Violation{Description: "must be a time of day HH:MM"})
	}
	*c = ClockTime(t.Hour()*60 + t.Minute())
	return nil
}

// Value stores hours as JSON.
func (h Hours) Value() (driver.Value, error) { return jsonValue(h) }

// Scan reads what Value wrote.
func (h *Hours) Scan(src any) error { *h = Hours{}; return jsonScan(src, h) }

func jsonValue(v any) (driver.Value, error) {
	b, err := json.Marshal(v)
	return string(b), err
}

func jsonScan(src any, into any) error {
	switch s := src.(type) {
	case string:
		return json.Unmarshal([]byte(s), into)
	case []byte:
		return json.Unmarshal(s, into)
	}
	return fmt.Errorf("a JSON column holds %T", src)
}
