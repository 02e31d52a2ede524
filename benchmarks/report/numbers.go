package report

import (
	"math"
	"strconv"
	"strings"
	"time"
)

// Signs that keep numbers readable and whole: spaces that do not break, a narrow one between thousands and a full one before units, a true minus, a dash of ranges.
const (
	narrow  = "\u202f"
	nbsp    = "\u00a0"
	minus   = "−"
	between = "–"
	missing = "–"
)

// number writes a value with three significant digits.
func number(v float64) string { return withDecimals(v, decimalsOf(v)) }

// decimalsOf is how many decimals give three significant digits; negative for values from 1,000 on.
func decimalsOf(v float64) int {
	v = math.Abs(v)
	if v == 0 || math.IsNaN(v) || math.IsInf(v, 0) {
		return 0
	}
	decimals := 2 - int(math.Floor(math.Log10(v)))
	// 9.996 is 10.0, not 10.00.
	if scale := math.Pow(10, float64(decimals)); math.Round(v*scale) >= 1000 {
		decimals--
	}
	return min(decimals, 9)
}

func withDecimals(v float64, decimals int) string {
	if math.IsNaN(v) {
		return missing
	}
	if math.IsInf(v, 0) {
		return map[bool]string{true: "∞", false: minus + "∞"}[v > 0]
	}
	if decimals < 0 {
		scale := math.Pow(10, float64(-decimals))
		v, decimals = math.Round(v/scale)*scale, 0
	}
	s := strconv.FormatFloat(math.Abs(v), 'f', decimals, 64)
	whole, fraction, _ := strings.Cut(s, ".")
	s = grouped(whole)
	if fraction != "" {
		s += "." + fraction
	}
	if v < 0 && strings.Trim(s, "0.") != "" {
		s = minus + s
	}
	return s
}

// interval writes low to high with as many decimals as the value that it belongs to.
func interval(low, high, of float64) string {
	if math.IsNaN(low) || math.IsNaN(high) {
		return ""
	}
	decimals := decimalsOf(of)
	if of == 0 {
		decimals = decimalsOf(max(math.Abs(low), math.Abs(high)))
	}
	dash := between
	if low < 0 {
		dash = " to "
	}
	return withDecimals(low, decimals) + dash + withDecimals(high, decimals)
}

// times writes a ratio: 3.12×.
func times(v float64) string { return number(v) + "×" }

// count writes a whole number in full.
func count[T int | int64](v T) string {
	s := grouped(strings.TrimPrefix(strconv.FormatInt(int64(v), 10), "-"))
	if v < 0 {
		return minus + s
	}
	return s
}

// grouped puts a narrow space before each three digits, from five digits on.
func grouped(digits string) string {
	if len(digits) < 5 {
		return digits
	}
	var b strings.Builder
	for i, r := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 {
			b.WriteString(narrow)
		}
		b.WriteRune(r)
	}
	return b.String()
}

// percent writes a share: 0.042 is 4.2 %.
func percent(share float64) string {
	return strconv.FormatFloat(100*share, 'f', 1, 64) + nbsp + "%"
}

// plural writes a count with its noun: 1 run, 2 runs.
func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return count(n) + " " + noun + "s"
}

// unit is how a metric's unit is written.
func unit(u string) string {
	switch u {
	case "1/s":
		return "per second"
	case "ms/s":
		return "ms per second"
	}
	return u
}

// lasted writes a duration in seconds: 47 s, 12 min, 1 h 5 min.
func lasted(d time.Duration) string {
	switch {
	case d < 2*time.Minute:
		return strconv.Itoa(int(d.Round(time.Second).Seconds())) + nbsp + "s"
	case d < 2*time.Hour:
		return strconv.Itoa(int(d.Round(time.Minute).Minutes())) + nbsp + "min"
	}
	d = d.Round(time.Minute)
	return strconv.Itoa(int(d.Hours())) + nbsp + "h " + strconv.Itoa(int(d.Minutes())%60) + nbsp + "min"
}

// list joins words: a, b and c.
func list(words []string) string {
	switch len(words) {
	case 0:
		return ""
	case 1:
		return words[0]
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
