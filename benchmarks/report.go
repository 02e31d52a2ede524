package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"

	"kerf/benchmarks/experiments"
	"kerf/benchmarks/lab"
	"kerf/benchmarks/micro"
	"kerf/benchmarks/report"
	"kerf/platform/atomicfile"
)

const (
	reportFile = "report.html"
	microFile  = "micro.txt"
)

// again is the command report.
func again(args []string, stderr io.Writer) error {
	var benchmarks string
	flags := newFlags("report", "Usage: go run ./benchmarks report DIR [flags]", stderr)
	flags.StringVar(&benchmarks, "micro", "", "`file` with the output of go test -bench or benchstat, to be quoted")
	dirs, err := flags.parse(args)
	if err != nil {
		return err
	}
	if len(dirs) != 1 {
		return misuse{errors.New("which folder? report DIR")}
	}
	if benchmarks != "" && !readable(benchmarks) {
		return misuse{fmt.Errorf("-micro: %s cannot be read", benchmarks)}
	}
	if err := render(dirs[0], experiments.All(), benchmarks); err != nil {
		return err
	}
	lab.NewProgress(stderr, false).Say("The report is " + filepath.Join(dirs[0], reportFile))
	return nil
}

// render writes results.json and report.html of an output folder. A file of micro-benchmarks is kept there, to be quoted by later reports too.
func render(out string, all []lab.Experiment, benchmarks string) error {
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
	in := report.Input{Findings: found, Environment: environment, Command: reproduces(plan, out)}
	if in.Benchmarks, in.Micro, err = quote(filepath.Join(out, microFile), benchmarks); err != nil {
		return err
	}
	var page bytes.Buffer
	if err := report.Write(&page, in); err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(out, reportFile), page.Bytes(), 0o644)
}

// quote reads what go test -bench printed, or else, as of benchstat, the lines as they are. What is new replaces what was kept.
func quote(kept, fresh string) ([]micro.Line, []string, error) {
	if fresh != "" {
		text, err := os.ReadFile(fresh)
		if err != nil {
			return nil, nil, err
		}
		if err := atomicfile.Write(kept, text, 0o644); err != nil {
			return nil, nil, err
		}
	}
	text, err := os.ReadFile(kept)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	if lines, err := micro.Read(kept); err == nil {
		return lines, nil, nil
	}
	return nil, strings.Split(strings.TrimRight(string(text), "\n"), "\n"), nil
}

func readable(file string) bool {
	_, err := os.ReadFile(file)
	return err == nil
}

// reproduces is the command that makes all of an output folder again.
func reproduces(plan lab.Plan, out string) string {
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
