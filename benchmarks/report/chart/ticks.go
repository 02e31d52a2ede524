package chart

import (
	"math"
	"strconv"
	"strings"
)

// Tick is a mark on an axis. A minor one has no label.
type Tick struct {
	Value float64
	Label string
}

// Ticks are round values along the scale, about as many labels as wanted and not many more.
func (s Scale) Ticks(wanted int) []Tick {
	wanted = max(wanted, 2)
	switch s.kind {
	case logarithmic:
		return s.logTicks(wanted)
	case tail:
		return s.tailTicks()
	}
	step := niceStep((s.Max - s.Min) / float64(wanted))
	decimals := max(0, -int(math.Floor(math.Log10(step)+1e-9)))
	var ticks []Tick
	for i := math.Ceil(s.Min/step - 1e-9); i*step <= s.Max+step*1e-9; i++ {
		ticks = append(ticks, Tick{i * step, label(i*step, decimals)})
	}
	return ticks
}

// logTicks labels 1, 2 and 5 of each decade where there is room, else powers of ten, of many only each second, third, …
func (s Scale) logTicks(wanted int) []Tick {
	decades := math.Log10(s.Max / s.Min)
	labelled := map[int]bool{1: true}
	if decades*3 <= float64(wanted)+3 {
		labelled[2], labelled[5] = true, true
	}
	if decades < 0.7 {
		labelled[3] = true
	}
	every := max(1, int(math.Ceil(decades/float64(wanted))))
	var ticks []Tick
	for power := math.Floor(math.Log10(s.Min) + 1e-9); math.Pow(10, power) <= s.Max*(1+1e-9); power++ {
		for m := 1; m < 10; m++ {
			v := float64(m) * math.Pow(10, power)
			if v < s.Min*(1-1e-9) || v > s.Max*(1+1e-9) || (m > 1 && every > 1) {
				continue
			}
			t := Tick{Value: v}
			if labelled[m] && int(power)%every == 0 {
				t.Label = label(v, max(0, -int(power)))
			}
			ticks = append(ticks, t)
		}
	}
	return ticks
}

func (s Scale) tailTicks() []Tick {
	ticks := []Tick{{0, "0"}, {0.5, "50"}}
	for nines := 1; nines < 9; nines++ {
		q := 1 - math.Pow(10, -float64(nines))
		if q > s.Max+1e-12 {
			break
		}
		ticks = append(ticks, Tick{q, strconv.FormatFloat(100*q, 'f', max(0, nines-2), 64)})
	}
	return ticks
}

// label writes an axis value: thousands from 10,000 on as k, millions as M.
func label(v float64, decimals int) string {
	suffix := ""
	switch a := math.Abs(v); {
	case a >= 1e6:
		v, suffix, decimals = v/1e6, "M", -1
	case a >= 1e4:
		v, suffix, decimals = v/1e3, "k", -1
	}
	if decimals < 0 {
		v = math.Round(v*1e6) / 1e6
	}
	s := strconv.FormatFloat(v, 'f', decimals, 64)
	if strings.Trim(s, "-0.") == "" {
		return "0"
	}
	return strings.Replace(s, "-", "−", 1) + suffix
}
