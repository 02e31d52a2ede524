// Command benchmarks is Kerf's laboratory: it compares the monolith with any cut of it, and says how certain that is.
//
//	go run ./benchmarks list
//	go run ./benchmarks run all -quick -out DIR
//	go run ./benchmarks run E1,E4 -out DIR -topology my.yaml
//	go run ./benchmarks report DIR
//	go run ./benchmarks load -target URL -rate 20 -for 30s
//
// Results and report are written into DIR; README.md in this folder tells what is there. It exits with 0, with 1 if it failed, if runs are missing
// or an invariant was violated, and with 2 if it was called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"slices"

	"kerf/benchmarks/experiments"
	"kerf/benchmarks/stand"
	"kerf/benchmarks/town/command"
	"kerf/platform/process"
)

func main() {
	os.Exit(process.Main(os.Stderr, func(ctx context.Context) error {
		return dispatch(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}))
}

const usage = `Usage: go run ./benchmarks COMMAND

  list                  the experiments: what they ask and expect, and how long they take here
  run IDS -out DIR      make the runs of these experiments (E1,E4 or all), and a report; goes on where it was interrupted
  report DIR            write results.json and report.html of DIR again
  load -target URL      drive any deployment of Kerf, and tell how it did

Each command has -h.
`

// misuse is an error of whoever called the command.
type misuse struct{ error }

func (misuse) Usage() bool { return true }

func (m misuse) Unwrap() error { return m.error }

// dispatch is what this program is: the laboratory, or one of the children that its experiments start, which are this same program.
func dispatch(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) == 0 {
		return misuse{errors.New("which command? list, run, report or load; -h tells more")}
	}
	name, rest := args[0], args[1:]
	switch {
	case name == "list":
		return list(ctx, rest, stdout, stderr)
	case name == "run":
		return run(ctx, rest, stderr)
	case name == "report":
		return again(rest, stderr)
	case name == "load":
		return command.Run(ctx, rest, stdout, stderr)
	case name == "burn":
		return stand.Burn(ctx, rest, stdout, stderr)
	case slices.Contains(experiments.Children, name):
		return experiments.Child(ctx, args, stdout, stderr)
	case slices.Contains([]string{"-h", "-help", "--help", "help"}, name):
		fmt.Fprint(stdout, usage)
		return nil
	}
	return misuse{fmt.Errorf("there is no command %q; there are list, run, report and load", name)}
}

// flags are those of a command, and what -h prints above them. What is wrong with them is told in one line, as every error is.
type flags struct {
	*flag.FlagSet
	synopsis string
	help     io.Writer
}

func newFlags(name, synopsis string, help io.Writer) flags {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(io.Discard)
	return flags{set, synopsis, help}
}

// parse reads flags that stand before, between and after the other arguments, which it gives.
func (f flags) parse(args []string) (others []string, err error) {
	for {
		switch err := f.Parse(args); {
		case errors.Is(err, flag.ErrHelp):
			fmt.Fprintln(f.help, f.synopsis+"\n")
			f.SetOutput(f.help)
			f.PrintDefaults()
			return nil, err
		case err != nil:
			return nil, misuse{err}
		case f.NArg() == 0:
			return others, nil
		}
		others, args = append(others, f.Arg(0)), f.Args()[1:]
	}
}
