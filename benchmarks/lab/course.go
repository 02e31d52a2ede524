package lab

import (
	"fmt"
	"slices"
	"time"
)

const (
	// repeats of a void run.
	repeats = 2
	// tries of a run that fails, in one session: a fault may have been mended when the next one begins.
	tries = 2
	// After so many failures in a row, or so many void runs, an arm of which nothing counts is left out: it would only cost time.
	hopelessFailures = 2
	hopelessVoids    = 2 * (1 + repeats)
	// hopelessLater is the same for failures in a row of an arm of which something counts.
	hopelessLater = 4
)

// course is how far an experiment has come. It is computed from its records alone, so that it does not matter whether it was interrupted.
type course struct {
	planned Planned
	slots   []slot
	records []Record // all attempts
	session time.Time
}

// next is the run to make, and which attempt at it. A block's repeats follow its last run.
func (c *course) next() (run slot, attempt int, ok bool) {
	left := c.leftOut()
	if _, gone := left[c.planned.Arms[0].Name]; gone {
		return slot{}, 0, false // nothing could be compared
	}
	for from := 0; from < len(c.slots); {
		to := from + slices.IndexFunc(c.slots[from:], func(s slot) bool { return s.block != c.slots[from].block })
		if to < from {
			to = len(c.slots)
		}
		for _, first := range []bool{true, false} {
			for _, s := range c.slots[from:to] {
				made := c.attempts(s)
				if _, gone := left[s.arm]; gone || (first != (made.count == 0)) || !made.again() {
					continue
				}
				return s, made.count + 1, true
			}
		}
		from = to
	}
	return slot{}, 0, false
}

// attempts are what was tried for a slot.
type attempts struct {
	count         int // the highest number of an attempt
	counts        bool
	void, failing int
}

// again says whether the run is to be made, or made again.
func (a attempts) again() bool { return !a.counts && a.void <= repeats && a.failing < tries }

func (c *course) attempts(s slot) attempts {
	var a attempts
	for i := range c.records {
		r := &c.records[i]
		if r.Arm != s.arm || r.Block != s.block {
			continue
		}
		a.count = max(a.count, r.Attempt)
		switch {
		case r.counts():
			a.counts = true
		case r.Failed == "":
			a.void++
		case !r.Started.Before(c.session):
			a.failing++
		}
	}
	return a
}

func (r *Record) counts() bool { return r.Void == "" && r.Failed == "" }

// leftOut are the arms that are not tried any more, with the reason.
func (c *course) leftOut() map[string]string {
	left := map[string]string{}
	for _, arm := range c.planned.Arms {
		counted, failures, void := 0, 0, 0
		var last *Record
		for i := range c.records {
			r := &c.records[i]
			if r.Arm != arm.Name {
				continue
			}
			switch {
			case r.counts():
				counted, failures = counted+1, 0
			case r.Failed == "":
				void, failures, last = void+1, 0, r
			case !r.Started.Before(c.session):
				failures, last = failures+1, r
			}
		}
		limit := hopelessFailures
		if counted > 0 {
			limit = hopelessLater
		}
		switch {
		case failures >= limit:
			left[arm.Name] = fmt.Sprintf("failed %d times in a row: %s", failures, last.Failed)
		case counted == 0 && void >= hopelessVoids:
			left[arm.Name] = fmt.Sprintf("was void %d times: %s", void, last.Void)
		}
	}
	return left
}

// done is how many runs count, and left how many seconds of runs are still to be made, as estimated.
func (c *course) done() (runs int, left float64) {
	out := c.leftOut()
	if _, gone := out[c.planned.Arms[0].Name]; gone {
		out = c.planned.all()
	}
	for _, s := range c.slots {
		made := c.attempts(s)
		if made.counts {
			runs++
		}
		if _, gone := out[s.arm]; !gone && made.again() {
			left += c.planned.Estimates[s.arm]
		}
	}
	return runs, left
}

func (p Planned) all() map[string]string {
	arms := map[string]string{}
	for _, arm := range p.Arms {
		arms[arm.Name] = ""
	}
	return arms
}
