package report

import (
	"bytes"
	"embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/micro"
	"kerf/benchmarks/report/chart"
)

// Input is all that a report tells.
type Input struct {
	// Findings are in the order of the report; E0, "does the method lie?", comes first and is missed if it is not there.
	Findings    []*lab.Findings
	Environment lab.Environment
	// Command reproduces the report, verbatim.
	Command string
	// Benchmarks are micro-benchmarks to quote; none if empty.
	Benchmarks []micro.Line
	// Micro are lines to quote verbatim, such as benchstat prints them.
	Micro []string
}

//go:embed page.html.tmpl parts.html.tmpl
var templates embed.FS

//go:embed page.css
var pageCSS string

// Write writes the report as one self-contained HTML file.
func Write(w io.Writer, in Input) error {
	functions := template.FuncMap{"key": chart.Key, "series": chart.Series, "numeric": numeric, "at": at, "capital": capital}
	t, err := template.New("page.html.tmpl").Funcs(functions).ParseFS(templates, "*.tmpl")
	if err != nil {
		return fmt.Errorf("read the report's templates: %w", err)
	}
	var page bytes.Buffer
	if err := t.Execute(&page, newPage(in)); err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	_, err = page.WriteTo(w)
	return err
}

func escaped(s string) template.HTML { return template.HTML(template.HTMLEscapeString(s)) } //nolint:gosec // it is escaped

// numeric says of each column of a table whether it holds numbers only, which are set to the right.
func numeric(t lab.Table) []bool {
	columns := make([]bool, len(t.Columns))
	for i := range columns {
		some := false
		columns[i] = !slices.ContainsFunc(t.Rows, func(row []string) bool {
			if i >= len(row) || row[i] == "" || row[i] == missing {
				return false
			}
			some = true
			return strings.ContainsAny(row[i], ":;") || !strings.ContainsAny(row[i][:1], "0123456789") && !strings.HasPrefix(row[i], minus)
		}) && some
	}
	return columns
}

// at is false beyond the end: a row may be longer than the head of its table.
func at(columns []bool, i int) bool { return i < len(columns) && columns[i] }

// capital begins a text with a capital letter.
func capital(s string) string {
	for i, r := range s {
		return string(unicode.ToUpper(r)) + s[i+utf8.RuneLen(r):]
	}
	return s
}
