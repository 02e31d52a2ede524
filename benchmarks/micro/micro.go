package micro

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"

	"golang.org/x/perf/benchfmt"

	"kerf/benchmarks/stats"
)

// Line is one benchmark in one unit, as its repetitions found it.
type Line struct {
	// Package is that which the benchmark stands in, "" if the file does not say.
	Package string
	// Name is without the word Benchmark, and with its sub-benchmarks: Encode/json-2, where 2 is GOMAXPROCS.
	Name string
	// Unit is as go test printed it: ns/op, B/op, msg/s.
	Unit string
	// N is the number of repetitions; Low and High are the least and the greatest of them.
	N                 int
	Median, Low, High float64
}

// String is a line for readers: kerf/benchmarks/codec Encode/json-2: 1453 ns/op (1401–1522), n = 6.
func (l Line) String() string {
	name := l.Name
	if l.Package != "" {
		name = l.Package + " " + name
	}
	return fmt.Sprintf("%s: %s %s (%s–%s), n = %d", name, short(l.Median), l.Unit, short(l.Low), short(l.High), l.N)
}

// short writes a number with four significant digits, and all digits before the point.
func short(v float64) string {
	for decimals := range 4 {
		if text := strconv.FormatFloat(v, 'f', decimals, 64); v == 0 || v >= 1000 || len(text) > 4 {
			return text
		}
	}
	return strconv.FormatFloat(v, 'f', 4, 64)
}

// Read reads a file that holds what go test -bench printed, best with -count=6 or more, in the order of the file. The error is one line: the file cannot be
// read, a line of it is malformed, or it holds no benchmark.
func Read(file string) ([]Line, error) {
	f, err := os.Open(file)
	if err != nil {
		return nil, fmt.Errorf("read benchmarks: %w", err)
	}
	defer f.Close()
	type key struct{ pkg, name, unit string }
	var order []key
	values := map[key][]float64{}
	reader := benchfmt.NewReader(f, file)
	for reader.Scan() {
		switch record := reader.Result().(type) {
		case *benchfmt.SyntaxError:
			return nil, fmt.Errorf("read benchmarks: %w", record)
		case *benchfmt.Result:
			for _, v := range record.Values {
				value, unit := v.Value, v.Unit
				if v.OrigUnit != "" {
					value, unit = v.OrigValue, v.OrigUnit
				}
				k := key{record.GetConfig("pkg"), record.Name.String(), unit}
				if values[k] == nil {
					order = append(order, k)
				}
				values[k] = append(values[k], value)
			}
		}
	}
	if err := reader.Err(); err != nil {
		return nil, fmt.Errorf("read benchmarks: %w", err)
	}
	if len(order) == 0 {
		return nil, errors.New("read benchmarks: " + file + " holds none; it wants what go test -bench prints")
	}
	lines := make([]Line, len(order))
	for i, k := range order {
		of := values[k]
		lines[i] = Line{
			Package: k.pkg, Name: k.name, Unit: k.unit, N: len(of), Median: stats.Median(of), Low: slices.Min(of), High: slices.Max(of),
		}
	}
	return lines, nil
}
