package clock

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"time"
)

const (
	// MaxSpeed bounds the speed: at 100,000 a day passes in 0.9 s, and a
	// microsecond of the wall, the smallest step, is 0.1 s of the domain.
	MaxSpeed = 100_000

	// maxListBytes is far above what decades of speed changes fill.
	maxListBytes = 1 << 20

	// Instants outside these years are a corrupt list, not a date: RFC 3339
	// cannot write them, and arithmetic on them could overflow.
	firstYear, lastYear = 1970, 9999
)

// Entry says that at the wall instant Wall the domain clock stood at Domain, and
// that from there it runs Speed times as fast as the wall.
type Entry struct {
	Wall   time.Time `json:"wall"`
	Domain time.Time `json:"domain"`
	Speed  float64   `json:"speed"`
}

// at gives the domain instant, in microseconds, at the wall instant. Before its
// own start an entry stands still.
//
// The product is taken in microseconds, not in time.Duration, which overflows
// after 292 years: half a year at speed 600.
func (e Entry) at(wall int64) int64 {
	elapsed := wall - e.Wall.UnixMicro()
	if elapsed <= 0 {
		return e.Domain.UnixMicro()
	}
	passed := float64(elapsed) * e.Speed
	if room := float64(endOfTime - e.Domain.UnixMicro()); passed >= room {
		return endOfTime
	}
	return e.Domain.UnixMicro() + int64(passed)
}

var endOfTime = time.Date(lastYear, 12, 31, 23, 59, 59, 999_999_999, time.UTC).UnixMicro()

// List is the history of a domain clock, oldest entry first. The last entry
// rules; the others tell how it came to be there.
type List []Entry

// Validate reports why the list cannot rule a clock: it is empty, an entry is
// out of range, or an entry starts earlier than the one before it had got to.
func (l List) Validate() error {
	if len(l) == 0 {
		return errors.New("no entry")
	}
	for i, e := range l {
		if err := e.validate(); err != nil {
			return fmt.Errorf("entry %d: %w", i, err)
		}
		if i == 0 {
			continue
		}
		if reached := l[i-1].at(e.Wall.UnixMicro()); e.Domain.UnixMicro() < reached {
			return fmt.Errorf("entry %d: domain time goes back from %s to %s", i,
				time.UnixMicro(reached).UTC().Format(time.RFC3339Nano), e.Domain.UTC().Format(time.RFC3339Nano))
		}
	}
	return nil
}

func (e Entry) validate() error {
	if !(e.Speed > 0 && e.Speed <= MaxSpeed) || math.IsNaN(e.Speed) {
		return fmt.Errorf("speed %v is not above 0 and at most %d", e.Speed, MaxSpeed)
	}
	if year := e.Wall.UTC().Year(); year < firstYear || year > lastYear {
		return fmt.Errorf("wall: the year %d is out of range", year)
	}
	if year := e.Domain.UTC().Year(); year < firstYear || year > lastYear {
		return fmt.Errorf("domain: the year %d is out of range", year)
	}
	return nil
}

// ParseList reads a list as clock.json holds it, and validates it.
func ParseList(data []byte) (List, error) {
	if len(data) > maxListBytes {
		return nil, fmt.Errorf("larger than %d bytes", maxListBytes)
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	var list List
	if err := decoder.Decode(&list); err != nil {
		if errors.Is(err, io.EOF) {
			return nil, errors.New("empty file")
		}
		return nil, err
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("something follows the list")
	}
	if err := list.Validate(); err != nil {
		return nil, err
	}
	return list, nil
}

// continued gives the list that is to rule from the wall instant on: the same
// one, or one entry longer if the speed changes (0 keeps it) or the wall clock
// was set back behind the last entry, where the clock would stand still until the
// wall caught up.
func (l List) continued(wall time.Time, speed float64) (next List, changed bool) {
	if len(l) == 0 {
		if speed == 0 {
			speed = 1
		}
		return List{{Wall: wall, Domain: wall, Speed: speed}}, true
	}
	last := l[len(l)-1]
	if speed == 0 {
		speed = last.Speed
	}
	if speed == last.Speed && !wall.Before(last.Wall) {
		return l, false
	}
	now := time.UnixMicro(last.at(wall.UnixMicro())).UTC()
	return append(l[:len(l):len(l)], Entry{Wall: wall, Domain: now, Speed: speed}), true
}
