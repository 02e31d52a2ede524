package internal

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"kerf/platform/fault"
)

func zone(t testing.TB, name string) *time.Location {
	t.Helper()
	z, err := time.LoadLocation(name)
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func hours(t testing.TB, text string) Hours {
	t.Helper()
	var h Hours
	if err := json.Unmarshal([]byte(text), &h); err != nil {
		t.Fatal(err)
	}
	if v := h.violations(""); len(v) > 0 {
		t.Fatalf("hours of the test are not valid: %v", v)
	}
	return h
}

func TestOpeningHours(t *testing.T) {
	const (
		weekly = `{"weekly":[{"day":"monday","opens":"11:00","closes":"14:30"},{"day":"monday","opens":"18:00","closes":"02:00"},
			{"day":"sunday","opens":"20:00","closes":"00:00"}]}`
		holidays = `{"weekly":[{"day":"thursday","opens":"18:00","closes":"02:00"},{"day":"wednesday","opens":"18:00","closes":"02:00"}],
			"exceptions":[{"date":"2026-12-24","closed":true},{"date":"2026-12-26","opens":"10:00","closes":"12:00"},
			{"date":"2026-12-26","opens":"22:00","closes":"03:00"}]}`
		night = `{"weekly":[{"day":"saturday","opens":"18:00","closes":"02:30"},{"day":"sunday","opens":"02:15","closes":"02:45"}]}`
	)
	for _, c := range []struct {
		name, hours, zone, at string
		open                  bool
	}{
		{"without hours it is never open", `{}`, "Europe/Vienna", "2026-11-23T12:00:00+01:00", false},
		{"always is always", `{"always":true}`, "Europe/Vienna", "2026-11-23T03:00:00+01:00", true},
		{"before it opens", weekly, "Europe/Vienna", "2026-11-23T10:59:59+01:00", false},
		{"from the minute it opens", weekly, "Europe/Vienna", "2026-11-23T11:00:00+01:00", true},
		{"the local clock counts, not UTC", weekly, "Europe/Vienna", "2026-11-23T10:00:00Z", true},
		{"until the minute it closes", weekly, "Europe/Vienna", "2026-11-23T14:29:59+01:00", true},
		{"not in the minute it closes", weekly, "Europe/Vienna", "2026-11-23T14:30:00+01:00", false},
		{"over midnight", weekly, "Europe/Vienna", "2026-11-24T01:59:00+01:00", true},
		{"not after the night", weekly, "Europe/Vienna", "2026-11-24T02:00:00+01:00", false},
		{"a night belongs to the day before", weekly, "Europe/Vienna", "2026-11-23T01:00:00+01:00", false},
		{"to midnight", weekly, "Europe/Vienna", "2026-11-22T23:59:59+01:00", true},
		{"not from midnight", weekly, "Europe/Vienna", "2026-11-23T00:00:00+01:00", false},
		{"the evening before a holiday goes on over midnight", holidays, "Europe/Vienna", "2026-12-24T01:00:00+01:00", true},
		{"a holiday replaces the evening", holidays, "Europe/Vienna", "2026-12-24T19:00:00+01:00", false},
		{"and its night", holidays, "Europe/Vienna", "2026-12-25T01:00:00+01:00", false},
		{"a date with hours of its own", holidays, "Europe/Vienna", "2026-12-26T11:00:00+01:00", true},
		{"a second period of the date, over midnight", holidays, "Europe/Vienna", "2026-12-27T02:59:00+01:00", true},
		// On 25 October 2026 clocks in Vienna go from 3:00 summer time back to 2:00.
		{"when clocks go back, before closing the first time", night, "Europe/Vienna", "2026-10-25T02:10:00+02:00", true},
		{"when clocks go back, closed after the first 2:30, but the next period lasts to 2:45", night, "Europe/Vienna", "2026-10-25T02:35:00+02:00", true},
		{"when clocks go back, closed after the first 2:45", night, "Europe/Vienna", "2026-10-25T02:50:00+02:00", false},
		{"when clocks go back, not opened a second time", night, "Europe/Vienna", "2026-10-25T02:20:00+01:00", false},
		// On 29 March 2026 they go from 2:00 to 3:00.
		{"when clocks go forward, open to the change", night, "Europe/Vienna", "2026-03-29T01:59:59+01:00", true},
		{"when clocks go forward, 2:30 has passed at 3:00", night, "Europe/Vienna", "2026-03-29T03:00:00+02:00", false},
		// Samoa skipped 30 December 2011.
		{"a skipped day has no hours", `{"weekly":[{"day":"friday","opens":"00:00","closes":"24:00"}]}`, "Pacific/Apia", "2011-12-31T00:30:00+14:00", false},
		{"the day after a skipped one has", `{"weekly":[{"day":"saturday","opens":"00:00","closes":"24:00"}]}`, "Pacific/Apia", "2011-12-31T00:30:00+14:00", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			at, err := time.Parse(time.RFC3339, c.at)
			if err != nil {
				t.Fatal(err)
			}
			if open := hours(t, c.hours).OpenAt(at.UTC(), zone(t, c.zone)); open != c.open {
				t.Errorf("open at %s = %v", c.at, open)
			}
		})
	}
}

// shown is what a clock on the wall shows, as minutes that can be compared across days.
func shown(t time.Time, z *time.Location) int64 {
	_, offset := t.In(z).Zone()
	return (t.Unix() + int64(offset)) / 60
}

// TestHoursAgreeWithAWatchmanWhoLooksAtTheClockEveryMinute plays days on which clocks change, minute by minute: the watchman opens a
// period when the clock first shows its opening time or later, and closes it when it first shows its closing time or later.
func TestHoursAgreeWithAWatchmanWhoLooksAtTheClockEveryMinute(t *testing.T) {
	changes := []struct{ zone, date string }{
		{"Europe/Vienna", "2026-03-29"}, {"Europe/Vienna", "2026-10-25"}, {"America/New_York", "2026-03-08"}, {"America/New_York", "2026-11-01"},
		{"America/Havana", "2026-11-01"}, {"America/Havana", "2026-03-08"}, {"Australia/Lord_Howe", "2026-04-05"}, {"Australia/Lord_Howe", "2026-10-04"},
		{"Africa/Cairo", "2026-04-24"}, {"Africa/Cairo", "2026-10-30"}, {"Asia/Kathmandu", "2026-06-01"}, {"Pacific/Apia", "2011-12-30"}, {"UTC", "2026-02-28"},
	}
	random := rand.New(rand.NewPCG(1, 2))
	for _, change := range changes {
		z := zone(t, change.zone)
		day, err := time.Parse(time.DateOnly, change.date)
		if err != nil {
			t.Fatal(err)
		}
		for range 12 {
			h := randomHours(random, day)
			if v := h.violations(""); len(v) > 0 {
				t.Fatalf("random hours are not valid: %v", v)
			}
			watch(t, h, z, day)
		}
	}
}

func randomHours(random *rand.Rand, day time.Time) Hours {
	var h Hours
	times := func() (ClockTime, ClockTime) {
		// Around the hours at which clocks change, more often than not.
		opens := ClockTime(random.IntN(dayMinutes))
		closes := ClockTime(random.IntN(4 * 60))
		if random.IntN(3) == 0 {
			opens = ClockTime(random.IntN(4 * 60))
		}
		if random.IntN(3) == 0 {
			closes = ClockTime(random.IntN(dayMinutes + 1))
		}
		if opens == closes {
			closes++
		}
		return opens, closes
	}
	for range 1 + random.IntN(8) {
		opens, closes := times()
		h.Weekly = append(h.Weekly, Weekly{strDay(random.IntN(7)), &opens, &closes})
	}
	for offset := -1; offset <= 1; offset++ {
		date := day.AddDate(0, 0, offset).Format(time.DateOnly)
		switch random.IntN(4) {
		case 0:
			h.Exceptions = append(h.Exceptions, Exception{Date: date, Closed: true})
		case 1:
			opens, closes := times()
			h.Exceptions = append(h.Exceptions, Exception{Date: date, Opens: &opens, Closes: &closes})
		}
	}
	return h
}

func strDay(n int) string {
	for name, d := range weekdays {
		if d == time.Weekday(n) {
			return name
		}
	}
	panic("no such day")
}

// watched is one period of one date, with what the watchman has seen of it.
type watched struct {
	opens, closes int64 // as shown counts
	begun, over   bool
}

func watch(t *testing.T, h Hours, z *time.Location, day time.Time) {
	t.Helper()
	var all []*watched
	for offset := -4; offset <= 4; offset++ {
		date := day.AddDate(0, 0, offset)
		midnight := date.Unix() / 60
		add := func(opens, closes ClockTime) {
			w := &watched{opens: midnight + int64(opens), closes: midnight + int64(closes)}
			if closes <= opens {
				w.closes += dayMinutes
			}
			all = append(all, w)
		}
		replaced := false
		for _, e := range h.Exceptions {
			if e.Date == date.Format(time.DateOnly) {
				replaced = true
				if !e.Closed {
					add(*e.Opens, *e.Closes)
				}
			}
		}
		for _, w := range h.Weekly {
			if !replaced && weekdays[w.Day] == date.Weekday() {
				add(*w.Opens, *w.Closes)
			}
		}
	}
	for at := day.Add(-60 * time.Hour); at.Before(day.Add(60 * time.Hour)); at = at.Add(time.Minute) {
		clock := shown(at, z)
		for _, w := range all {
			w.begun = w.begun || clock >= w.opens
			w.over = w.over || clock >= w.closes
		}
		if at.Before(day.Add(-48 * time.Hour)) {
			continue // let periods that began before the watch be seen
		}
		open := slices.ContainsFunc(all, func(w *watched) bool { return w.begun && !w.over })
		if got := h.OpenAt(at, z); got != open {
			text, _ := json.Marshal(h)
			t.Fatalf("%s in %s: open = %v, the watchman says %v; hours %s", at.In(z), z, got, open, text)
		}
	}
}

func TestHoursThatMakeNoSenseAreRefusedByName(t *testing.T) {
	at := func(c ClockTime) *ClockTime { return &c }
	for _, c := range []struct {
		field string
		hours Hours
	}{
		{"h.always", Hours{Always: true, Weekly: []Weekly{{"monday", at(60), at(120)}}}},
		{"h.weekly[0].day", Hours{Weekly: []Weekly{{"Monday", at(60), at(120)}}}},
		{"h.weekly[1].closes", Hours{Weekly: []Weekly{{"monday", at(60), at(120)}, {"monday", at(60), at(60)}}}},
		{"h.weekly[0].opens", Hours{Weekly: []Weekly{{"monday", at(dayMinutes), at(120)}}}},
		{"h.weekly[0].closes", Hours{Weekly: []Weekly{{"monday", at(60), nil}}}},
		{"h.weekly", Hours{Weekly: make([]Weekly, maxWeekly+1)}},
		{"h.exceptions[0].date", Hours{Exceptions: []Exception{{Date: "2026-02-30", Closed: true}}}},
		{"h.exceptions[0]", Hours{Exceptions: []Exception{{Date: "2026-02-28"}}}},
		{"h.exceptions[0]", Hours{Exceptions: []Exception{{Date: "2026-02-28", Closed: true, Opens: at(1), Closes: at(2)}}}},
		{"h.exceptions[1].date", Hours{Exceptions: []Exception{{Date: "2026-02-28", Closed: true}, {Date: "2026-02-28", Opens: at(1), Closes: at(2)}}}},
		{"h.exceptions[1].date", Hours{Exceptions: []Exception{{Date: "2026-02-28", Opens: at(1), Closes: at(2)}, {Date: "2026-02-28", Closed: true}}}},
	} {
		found := c.hours.violations("h")
		if !slices.ContainsFunc(found, func(v fault.Violation) bool { return v.Field == c.field }) {
			t.Errorf("%+v: violations %v, want one of %s", c.hours, found, c.field)
		}
	}
}

func TestATimeOfDayHasOneSpelling(t *testing.T) {
	for _, text := range []string{"", "9:00", "09:60", "24:01", "25:00", "09:00:00", "-1:00", "0900", " 09:00"} {
		var c ClockTime
		if err := c.UnmarshalText([]byte(text)); fault.KindOf(err) != fault.KindInvalid {
			t.Errorf("%q gives %d, %v", text, c, err)
		}
	}
	for _, minutes := range []ClockTime{0, 1, 59, 60, 1439, 1440} {
		text, err := minutes.MarshalText()
		var back ClockTime
		if err != nil || back.UnmarshalText(text) != nil || back != minutes {
			t.Errorf("%d is %q and then %d", minutes, text, back)
		}
	}
}

func BenchmarkOpenAt(b *testing.B) {
	h := hours(b, `{"weekly":[{"day":"monday","opens":"11:00","closes":"14:30"},{"day":"monday","opens":"18:00","closes":"02:00"},
		{"day":"tuesday","opens":"11:00","closes":"14:30"},{"day":"tuesday","opens":"18:00","closes":"02:00"}]}`)
	z, at := zone(b, "Europe/Vienna"), time.Date(2026, 11, 24, 16, 0, 0, 0, time.UTC)
	if h.OpenAt(at, z) {
		b.Fatal(fmt.Sprint("open at ", at))
	}
	for b.Loop() {
		h.OpenAt(at, z)
	}
}
