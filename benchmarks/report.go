package main

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"kerf/benchmarks/experiments"
	"kerf/benchmarks/lab"
	"kerf/benchmarks/report"
	"kerf/platform/atomicfile"
)

const reportFile = "report.html"

// again is the command report.
func again(args []string, stderr io.Writer) error {
	var micro string
	flags := newFlags("report", "Usage: go run ./benchmarks report DIR [flags]", stderr)
	flags.StringVar(&micro, "micro", "", "`file` with the output of go test -bench or benchstat, to be quoted")
	dirs, err := flags.parse(args)
	if err != nil {
		return err
	}
	if len(dirs) != 1 {
		return misuse{errors.New("which folder? report DIR")}
	}
	if err := render(dirs[0], experiments.All(), micro); err != nil {
		return err
	}
	lab.NewProgress(stderr, false).Say("The report is " + filepath.Join(dirs[0], reportFile))
	return nil
}

// render writes results.json and report.html of an output folder.
func render(out string, all []lab.Experiment, micro string) error {
	found, environment, err := lab.Read(out, all)
	if err != nil {
		return err
	}
	if err := lab.WriteResults(out, found, environment); err != nil {
		return err
	}
	plan, err := lab.ReadPlan(out)
	if err != nil {
		return err
	}
	in := report.Input{Findings: found, Environment: environment, Command: reproduces(plan, out, micro)}
	if in.Micro, err = lines(micro); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := report.Write(&page, in); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(out, reportFile), page.Bytes(), 0o644)
}

// reproduces is the command that makes all of an output folder again.
func reproduces(plan lab.Plan, out, micro string) string {
	var ids []string
	for _, e := range plan.Experiments {
		ids = append(ids, e.ID)
	}
	words := []string{"go", "run", "./benchmarks", "run", strings.Join(ids, ",")}
	if plan.Setting.Profile == lab.Quick.Name {
		words = append(words, "-quick")
	}
	if plan.Setting.Strict {
		words = append(words, "-strict")
	}
	words = append(words, "-seed", strconv.FormatUint(plan.Seed, 10), "-out", out)
	for _, file := range plan.Setting.Topologies {
		words = append(words, "-topology", file)
	}
	if plan.Setting.Instances != "" {
		words = append(words, "-instances", plan.Setting.Instances)
	}
	if micro != "" {
		words = append(words, "-micro", micro)
	}
	for i := range words {
		words[i] = quoted(words[i])
	}
	return strings.Join(words, " ")
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if regexp.MustCompile(`^[\w./:=@,+-]+$`).MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func lines(file string) ([]string, error) {
	if file == "" {
		return nil, nil
	}
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	return strings.Split(strings.TrimRight(string(text), "\n"), "\n"), nil
}
