// Command topology starts every process and server of a topology on this machine, from one file, and starts again what dies.
//
//	go run ./cmd/topology -config deploy/topologies/split.yaml -data DIR
//	go run ./cmd/topology -config deploy/topologies/split.yaml -plan
//
// It prints "ready URL" on stdout once every process is ready, and everything else on stderr: each line of a process or server after its name, and on
// a terminal a table of them below. DIR/topology.json tells scripts the same (package status). SIGTERM or SIGINT drain: first what serves the
// public, then the other processes, then the servers; a second signal ends all at once. Nothing that it started outlives it, not even if it is killed.
//
// Everything is kept in DIR: each module's file where the data is in SQLite, so that another topology, or the monolith, goes on with the same
// DIR; the servers' data; the domain clock and the keys; a certificate authority; and under processes/NAME the whole configuration with which each
// process was started, so that `go run ./cmd/module -config DIR/processes/NAME/kerf.yaml` is that process.
//
// It exits with 0, with 1 if it failed, and with 2 if it was called wrongly.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"kerf/cmd/topology/kfake"
	"kerf/modules"
	"kerf/platform/process"
)

func main() {
	os.Exit(process.Main(os.Stderr, func(ctx context.Context) error {
		return command(ctx, os.Args[1:], os.Stdout, os.Stderr)
	}))
}

// command is what this program is: a topology, or one of the children that a topology starts, which are this same program.
func command(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case "module":
			return modules.Part().Run(ctx, args[1:], os.Environ(), stdout, stderr)
		case "kfake":
			return runKfake(ctx, args[1:], stderr)
		}
	}
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.plan {
		return writePlan(ctx, stdout, o)
	}
	return run(ctx, o, stdout, stderr)
}

// options are the command line.
type options struct {
	config, data, listen string
	speed                float64
	kfake, plan          bool
	init, adopt          string
}

// misuse is an error of whoever called the command.
type misuse struct{ error }

func (misuse) Usage() bool { return true }

func (m misuse) Unwrap() error { return m.error }

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("topology", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.config, "config", "", "the topology `file`")
	flags.StringVar(&o.config, "f", "", "the same")
	flags.StringVar(&o.data, "data", "data", "keep everything in this `folder`")
	flags.StringVar(&o.listen, "listen", "", "serve the public API on this `address` (default what the file says, or 127.0.0.1:8080)")
	flags.Float64Var(&o.speed, "speed", 0, "run domain time this `factor` times as fast as the wall's; 0 keeps the last one")
	flags.BoolVar(&o.kfake, "kfake", false, "let kfake stand in where the file asks for Apache Kafka")
	flags.BoolVar(&o.plan, "plan", false, "print what would run where, and end")
	flags.StringVar(&o.init, "init", "", "make the missing schemas of these `modules`: see cmd/module")
	flags.StringVar(&o.adopt, "adopt", "", "take over the schemas of these `modules` that were moved here: see cmd/module")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, misuse{err}
	}
	switch {
	case flags.NArg() > 0:
		return o, misuse{fmt.Errorf("%q is no flag", flags.Arg(0))}
	case o.config == "":
		return o, misuse{errors.New("which topology? give -config FILE, for instance deploy/topologies/split.yaml")}
	case o.data == "":
		return o, misuse{errors.New("-data is empty")}
	}
	data, err := filepath.Abs(o.data)
	o.data = data
	return o, err
}

// runKfake is the child that serves Kafka's protocol.
func runKfake(ctx context.Context, args []string, stderr io.Writer) error {
	flags := flag.NewFlagSet("topology kfake", flag.ContinueOnError)
	flags.SetOutput(stderr)
	listen := flags.String("listen", "127.0.0.1:9092", "serve on this `address`")
	data := flags.String("data", "kfake", "keep everything in this `folder`")
	if err := flags.Parse(args); err != nil {
		return misuse{err}
	}
	return kfake.Run(ctx, *listen, *data)
}
