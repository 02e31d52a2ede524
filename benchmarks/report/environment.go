package report

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"kerf/benchmarks/lab"
)

// environment is the sheet of what the runs were made on, and when the runner worked.
func environment(e lab.Environment) ([]fact, *lab.Table) {
	var sheet []fact
	add := func(name, value string) {
		if value != "" {
			sheet = append(sheet, fact{name, value})
		}
	}
	add("Processor", e.CPU)
	if e.Cores > 0 {
		add("Cores", count(e.Cores))
	}
	if e.Memory > 0 {
		add("Memory", count(e.Memory)+nbsp+"MiB")
	}
	add("System", strings.TrimSpace(e.OS+" "+e.Kernel))
	add("Distribution", e.Distribution)
	add("File system of the data", e.Filesystem)
	if e.Fsync.N > 0 {
		add("fsync of 4 KiB", fmt.Sprintf("median %s ms, p99 %s ms (n = %s)", number(e.Fsync.Median), number(e.Fsync.P99), count(e.Fsync.N)))
	}
	add("Limits of the control group", pairs(e.Limits))
	add("Go", e.Go)
	add("The generator’s settings", pairs(e.Settings))
	add("Servers installed", pairs(e.Servers))
	add("Commit", e.Version)
	add("Files that differed from it", some(e.Changed, 6))
	if len(e.Sessions) == 0 {
		return sheet, nil
	}
	t := &lab.Table{Title: "When the runner worked", Columns: []string{"command", "began", "took", "load before", "stolen by the hypervisor", "end"}}
	for _, s := range e.Sessions {
		took := missing
		if s.Ended.After(s.Started) {
			took = lasted(s.Ended.Sub(s.Started))
		}
		t.Rows = append(t.Rows, []string{strings.Join(s.Command, " "), s.Started.UTC().Format("2006-01-02 15:04 UTC"), took,
			strconv.FormatFloat(s.Load[0], 'f', 2, 64), percent(s.Stolen), s.End})
	}
	return sheet, t
}

func pairs(m map[string]string) string {
	var parts []string
	for _, key := range slices.Sorted(maps.Keys(m)) {
		parts = append(parts, strings.TrimSpace(key+" "+m[key]))
	}
	return strings.Join(parts, ", ")
}

// some joins the first of many words, and says how many more there are.
func some(words []string, most int) string {
	if len(words) <= most {
		return strings.Join(words, ", ")
	}
	return strings.Join(words[:most], ", ") + " and " + count(len(words)-most) + " more"
}
