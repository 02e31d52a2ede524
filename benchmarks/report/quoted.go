package report

import (
	"slices"
	"strings"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/micro"
)

// ordinary are the units that go test prints by itself; each has a column. What benchmarks report besides shares one.
var ordinary = []string{"ns/op", "B/op", "allocs/op"}

// quoted is the table of micro-benchmarks: a row for each, in the order in which they were printed; nil if there is none.
func quoted(lines []micro.Line) *lab.Table {
	if len(lines) == 0 {
		return nil
	}
	t := &lab.Table{Title: "Median of n repetitions (from the least to the greatest)",
		Columns: append(append([]string{"package", "benchmark", "n"}, ordinary...), "besides")}
	rows := map[string]int{}
	for _, l := range lines {
		at, ok := rows[l.Package+" "+l.Name]
		if !ok {
			at = len(t.Rows)
			rows[l.Package+" "+l.Name] = at
			t.Rows = append(t.Rows, []string{strings.TrimPrefix(l.Package, "kerf/"), l.Name, count(l.N), "", "", "", ""})
		}
		text := number(l.Median)
		if l.Low < l.High {
			text += " (" + interval(l.Low, l.High, l.Median) + ")"
		}
		row := t.Rows[at]
		if column := slices.Index(ordinary, l.Unit); column >= 0 {
			row[3+column] = text
			continue
		}
		if row[6] != "" {
			row[6] += "; "
		}
		row[6] += text + " " + l.Unit
	}
	return t
}
