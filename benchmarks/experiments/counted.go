package experiments

import (
	"fmt"
	"strings"

	"kerf/benchmarks/lab"
)

// countedRuns tells how many runs of each arm a figure or table is made of: "Runs: monolith 6, split-kafka 5."
func countedRuns(f *lab.Findings) string {
	var counts []string
	for _, arm := range f.Arms {
		counts = append(counts, fmt.Sprintf("%s %d", arm.Name, len(f.Records[arm.Name])))
	}
	if len(counts) == 0 {
		return ""
	}
	return "Runs: " + strings.Join(counts, ", ") + "."
}
