package experiments

import "math"

// search looks for the highest rate that a server bears, in few steps: from a rate to begin with it goes up, or down, until one step was borne and
// another was not, and then halves the ratio between them, because a rate matters in proportion. A step is a few seconds of load and can err by
// chance, so a run's answer is no better than its last steps; the spread of the runs tells by how much.
type search struct {
	// Begin is the first rate, per second. Factor is how far apart two rates of the way up or down are: above 1.
	Begin, Factor float64
	// Near ends the search: the ratio of the lowest rate that was not borne to the highest that was. Steps ends it too.
	Near  float64
	Steps int
}

// bracket is what a search found: the highest rate that was borne, 0 if none was, and the lowest that was not, +Inf if all were.
type bracket struct{ Borne, Broke float64 }

// knee is the best guess from the bracket: between the two rates, in the middle of their ratio. It is a bound only, and false, if one is missing.
func (b bracket) knee() (rate float64, ok bool) {
	switch {
	case b.Borne == 0:
		return b.Broke, false
	case math.IsInf(b.Broke, 1):
		return b.Borne, false
	}
	return math.Sqrt(b.Borne * b.Broke), true
}

// run searches with a function that loads the server at a rate and says whether it was borne.
func (s search) run(borne func(rate float64) (bool, error)) (bracket, error) {
	found := bracket{0, math.Inf(1)}
	rate := s.Begin
	for range s.Steps {
		ok, err := borne(rate)
		if err != nil {
			return found, err
		}
		if ok {
			found.Borne = rate
		} else {
			found.Broke = rate
		}
		switch {
		case math.IsInf(found.Broke, 1):
			rate = found.Borne * s.Factor
		case found.Borne == 0:
			rate = found.Broke / s.Factor
		case found.Broke/found.Borne <= s.Near:
			return found, nil
		default:
			rate = math.Sqrt(found.Borne * found.Broke)
		}
	}
	return found, nil
}

// tooMany tells whether more than a share of n requests were late. It judges by the share alone, and forgives nothing on the ground that it might be
// chance: that would forgive most where n is smallest, which is where the server is slowest. So n has to be large enough for the share.
func tooMany(late, n int64, share float64) bool {
	return float64(late) > share*float64(n)
}
