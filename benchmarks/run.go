package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"kerf/benchmarks/experiments"
	"kerf/benchmarks/lab"
	"kerf/benchmarks/stand"
	"kerf/cmd/topology/shape"
	"kerf/modules"
)

// options are those of list and run.
type options struct {
	ids        []string
	quick      bool
	out        string
	seed       uint64
	seeded     bool
	strict     bool
	micro      string
	instances  string
	topologies []string
	json       bool // of list
	all        []lab.Experiment
}

// place has the flags of both commands that say what is measured.
func (o *options) place(flags flags) {
	flags.BoolVar(&o.strict, "strict", false, "fail if a server is missing, where otherwise kfake stands in for Apache Kafka or an arm is left out")
	flags.StringVar(&o.instances, "instances", "", "`folder` of recorded days (default: the small day that Kerf ships)")
	flags.Func("topology", "compare this topology `file` too, in the experiments that compare topologies; may be given again", func(file string) error {
		absolute, err := filepath.Abs(file)
		o.topologies = append(o.topologies, absolute)
		return err
	})
}

func parseRun(args []string, all []lab.Experiment, stderr io.Writer) (options, error) {
	o := options{all: all}
	flags := newFlags("run", "Usage: go run ./benchmarks run IDS [flags]\n\nIDS are experiments (E1,E4) or all; see list. E0, which tests the method itself, is always made first.", stderr)
	flags.BoolVar(&o.quick, "quick", false, "fewer and shorter runs, for a first answer")
	flags.StringVar(&o.out, "out", "", "`folder` for results and report; if it has some already, what is missing is added (default kerf-lab-DATE)")
	flags.Uint64Var(&o.seed, "seed", 1, "of everything that is random: order of the runs, arrivals, what is ordered")
	flags.StringVar(&o.micro, "micro", "", "`file` with the output of go test -bench or benchstat, to be quoted in the report")
	o.place(flags)
	ids, err := flags.parse(args)
	if err != nil {
		return o, err
	}
	flags.Visit(func(f *flag.Flag) { o.seeded = o.seeded || f.Name == "seed" })
	if o.ids, err = choose(ids, all); err != nil {
		return o, err
	}
	if o.out == "" {
		o.out = "kerf-lab-" + time.Now().Format("20060102-150405")
	}
	if o.micro != "" && !readable(o.micro) {
		return o, misuse{fmt.Errorf("-micro: %s cannot be read", o.micro)}
	}
	return o, o.check()
}

// choose gives the ids that are meant, in the order of the experiments; the first experiment is always among them.
func choose(words []string, all []lab.Experiment) ([]string, error) {
	known := make([]string, len(all))
	for i, e := range all {
		known[i] = e.ID
	}
	wanted := map[string]bool{}
	for _, word := range words {
		for id := range strings.SplitSeq(word, ",") {
			switch {
			case strings.EqualFold(id, "all"):
				for _, id := range known {
					wanted[id] = true
				}
			case slices.Contains(known, strings.ToUpper(id)):
				wanted[strings.ToUpper(id)] = true
			case id != "":
				return nil, misuse{fmt.Errorf("there is no experiment %q; there are %s, or all of them: all", id, strings.Join(known, ", "))}
			}
		}
	}
	if len(wanted) == 0 {
		return nil, misuse{fmt.Errorf("which experiments? %s, or all", strings.Join(known, ", "))}
	}
	return slices.DeleteFunc(known, func(id string) bool { return !wanted[id] && id != all[0].ID }), nil
}

// check finds what is wrong with files that the user named.
func (o options) check() error {
	named := map[string]string{}
	for _, file := range o.topologies {
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		switch other, taken := named[name]; {
		case other == file:
			return misuse{fmt.Errorf("-topology: %s is given twice", file)}
		case taken:
			return misuse{fmt.Errorf("-topology: %s and %s have one name, by which arms are told apart: rename one of them", other, file)}
		}
		named[name] = file
		_, problems := shape.Read(file, modules.Names)
		if err := problems.Err(); err != nil {
			lines := strings.ReplaceAll(strings.TrimPrefix(err.Error(), "topology: "), "\n", "; ")
			return misuse{errors.New("-topology: " + strings.Join(strings.Fields(lines), " "))}
		}
	}
	if o.instances != "" {
		if info, err := os.Stat(o.instances); err != nil || !info.IsDir() {
			return misuse{fmt.Errorf("-instances: %s is no folder", o.instances)}
		}
	}
	return nil
}

func (o options) profile() lab.Profile {
	if o.quick {
		return lab.Quick
	}
	return lab.Full
}

func (o options) chosen() []lab.Experiment {
	return slices.DeleteFunc(slices.Clone(o.all), func(e lab.Experiment) bool { return !slices.Contains(o.ids, e.ID) })
}

func run(ctx context.Context, args []string, stderr io.Writer) error {
	o, err := parseRun(args, experiments.All(), stderr)
	if err != nil {
		return err
	}
	progress := lab.NewProgress(stderr, terminal(stderr))
	defer progress.Clear()
	l, err := prepare(ctx, o, progress)
	if err != nil {
		return err
	}
	defer l.close()
	return l.work(ctx, args)
}

func terminal(w io.Writer) bool {
	file, ok := w.(*os.File)
	return ok && isatty.IsTerminal(file.Fd())
}

// laboratory is a run of this command: an output folder, and what it takes to fill it.
type laboratory struct {
	options
	setting     lab.Setting
	folder      *lab.Folder
	environment lab.Environment
	workshop    string // for what is built
	launcher    string
	progress    *lab.Progress
}

// prepare decides all that can be wrong before the first run.
func prepare(ctx context.Context, o options, progress *lab.Progress) (_ *laboratory, err error) {
	l := &laboratory{options: o, progress: progress}
	if l.setting, err = l.set(ctx); err != nil {
		return nil, err
	}
	planned, err := planned(o.chosen(), l.setting)
	if err != nil {
		return nil, err
	}
	version, changed, err := lab.Version(ctx, l.setting.Source, o.out)
	if err != nil {
		return nil, err
	}
	if there, err := lab.ReadPlan(o.out); err == nil && !o.seeded {
		l.seed = there.Seed
	}
	l.folder, err = lab.Open(o.out, lab.NewPlan(version, l.seed, l.setting, planned))
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			l.close()
		}
	}()
	progress.Now("looking at the machine")
	if l.environment, err = lab.Observe(ctx, o.out); err != nil {
		return nil, fmt.Errorf("cannot measure the disk under %s: %w", o.out, err)
	}
	l.environment.Version, l.environment.Changed = version, changed
	progress.Now("building the topology")
	l.workshop = filepath.Join(o.out, "bin") // here a later run finds what a killed one left behind
	if l.launcher, err = stand.Build(ctx, l.workshop); err != nil {
		return nil, err
	}
	l.environment.Servers = versions(stand.Servers(ctx, l.launcher))
	return l, nil
}

// set finds out what there is to measure with.
func (o options) set(ctx context.Context) (lab.Setting, error) {
	source, err := stand.Source(ctx)
	if err != nil {
		return lab.Setting{}, err
	}
	servers := versions(stand.Servers(ctx, ""))
	return lab.Setting{
		Profile: o.profile(), Source: source, Instances: o.instances, Topologies: o.topologies, Strict: o.strict,
		Kafka: servers["kafka"] != "", RabbitMQ: servers["rabbitmq"] != "", Postgres: servers["postgres"] != "",
	}, nil
}

func versions(servers []stand.Server) map[string]string {
	installed := map[string]string{}
	for _, s := range servers {
		if s.Version != "" {
			installed[s.Name] = s.Version
		}
	}
	return installed
}

func (l *laboratory) close() {
	if l.workshop != "" {
		os.RemoveAll(l.workshop)
	}
	l.folder.Close()
}

// work makes the runs, and a report of what there is then, whether or not they all could be made.
func (l *laboratory) work(ctx context.Context, args []string) error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	session := lab.BeginSession(append([]string{"go", "run", "./benchmarks", "run"}, args...))
	if load, cores := session.Load[0], float64(l.environment.Cores); load > 1.5*cores {
		l.progress.Say(fmt.Sprintf("the machine is busy with something else (load %.1f on %.0f cores): expect void runs and wide intervals", load, cores))
	}
	earlier := l.folder.Sessions()
	l.environment.Sessions = append(slices.Clone(earlier), session)
	if err := l.folder.SaveEnvironment(l.environment); err != nil {
		return err
	}
	runner := lab.Runner{
		Folder: l.folder, Experiments: l.chosen(), Setting: l.setting, Launcher: l.launcher, Self: self, Progress: l.progress,
		Log: slog.New(slog.NewTextHandler(l.progress.Writer(), &slog.HandlerOptions{Level: slog.LevelWarn})),
	}
	summary, err := runner.Run(ctx)
	how := "complete"
	switch {
	case ctx.Err() != nil:
		how = "cut short"
	case err != nil:
		how = "failed"
	case summary.Err() != nil:
		how = "incomplete"
	}
	session.Finish(how)
	l.environment.Sessions = append(earlier, session)
	l.progress.Now("writing the report")
	written := errors.Join(l.folder.SaveEnvironment(l.environment), render(l.out, l.all, l.micro))
	l.progress.Clear()
	switch {
	case how == "failed":
		return err // what could not be kept cannot be reported either
	case written != nil:
		return fmt.Errorf("cannot write the report: %w", written)
	}
	l.progress.Say("The report is " + filepath.Join(l.out, reportFile))
	if how == "cut short" {
		return fmt.Errorf("cut short (%w): what was measured is kept, and the same command with -out %s goes on", err, quoted(l.out))
	}
	return summary.Err()
}
