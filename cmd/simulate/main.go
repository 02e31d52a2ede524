// Command simulate plays a day of orders against a running Kerf and reports what became of it.
//
//	go run . -data /tmp/day -demo=false -speed 600 &
//	go run ./cmd/simulate -instance cmd/simulate/day/small -speed 600 -target http://127.0.0.1:8080 -report report.json
//
// It exits with 0 if every order has ended and no invariant was violated, with 1 otherwise, and with 2 if it was called wrongly, which a
// target at another speed is too. The report is the JSON of play.Report.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime/debug"
	"time"

	"github.com/mattn/go-isatty"

	"kerf/cmd/simulate/day"
	"kerf/cmd/simulate/play"
	"kerf/platform/process"
)

func main() {
	os.Exit(process.Main(os.Stderr, func(ctx context.Context) error { return run(ctx, os.Args[1:], os.Stdout, os.Stderr) }))
}

// options are the command line.
type options struct {
	instance, target, report, make string
	speed                          float64
	seed                           uint64
	timeout                        time.Duration
	cancelEvery                    int
}

// misuse is an error of whoever called the command.
type misuse struct{ error }

func (misuse) Usage() bool { return true }

func (m misuse) Unwrap() error { return m.error }

func parse(args []string, stderr io.Writer) (options, error) {
	var o options
	flags := flag.NewFlagSet("simulate", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.instance, "instance", "", "folder of the day to play")
	flags.Float64Var(&o.speed, "speed", 0, "speed that the target must have (default: whatever it has)")
	flags.StringVar(&o.target, "target", "http://127.0.0.1:8080", "address of the server")
	flags.StringVar(&o.report, "report", "", "file for the report (default: standard output)")
	flags.StringVar(&o.make, "make", "", "make the small day, write it into this folder and end")
	flags.Uint64Var(&o.seed, "seed", day.DefaultSeed, "of the small day, or of what is eaten on a day that is played")
	flags.DurationVar(&o.timeout, "timeout", 2*time.Minute, "how long a call is repeated while the server does not answer")
	flags.IntVar(&o.cancelEvery, "cancel-every", 0, "have each `n`th order cancelled by its diner, at five states in turn; 0 has nobody cancel")
	if err := flags.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, misuse{err}
	}
	switch {
	case flags.NArg() > 0:
		return o, misuse{fmt.Errorf("%q is no flag", flags.Arg(0))}
	case o.speed < 0:
		return o, misuse{errors.New("-speed must be positive")}
	case o.cancelEvery < 0:
		return o, misuse{errors.New("-cancel-every must not be negative")}
	case o.timeout <= 0:
		return o, misuse{errors.New("-timeout must be positive")}
	case (o.instance == "") == (o.make == ""):
		return o, misuse{errors.New("give either -instance DIR or -make DIR")}
	}
	return o, nil
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	if o.make != "" {
		if err := os.MkdirAll(o.make, 0o755); err != nil {
			return err
		}
		return day.Small(o.seed).Write(o.make)
	}
	d, err := day.Read(o.instance)
	var bad *day.Error
	if errors.As(err, &bad) || errors.Is(err, fs.ErrNotExist) {
		return misuse{err}
	} else if err != nil {
		return err
	}
	show, end := progressLine(stderr)
	report, err := play.Run(ctx, play.Config{
		Day: d, Target: o.target, Speed: o.speed, Seed: o.seed, Patience: o.timeout, CancelEvery: o.cancelEvery,
		Version: version(), Progress: show,
	})
	end()
	var wrongSpeed *play.SpeedError
	if errors.As(err, &wrongSpeed) {
		return misuse{err}
	} else if err != nil {
		return err
	}
	if err := write(report, o.report, stdout); err != nil {
		return err
	}
	say := func(format string, args ...any) { _, _ = fmt.Fprintf(stderr, format, args...) } // who does not listen still gets the report
	say("%d placed, %d delivered, %d cancelled, %d rejected, %d unfinished; click to door %.1f min on average; %.1f s\n",
		report.Orders.Placed, report.Orders.Delivered, report.Orders.Cancelled, report.Orders.Rejected, report.Orders.Unfinished,
		report.ClickToDoor.Mean, report.WallSeconds)
	for _, violation := range report.Violations {
		say("%s\n", violation)
	}
	if !report.Clean() {
		return errors.New("the day did not go as it must")
	}
	return nil
}

// write puts the report into a file, or on stdout if none is named.
func write(report play.Report, file string, stdout io.Writer) error {
	text, err := json.MarshalIndent(report, "", "  ")
	if err != nil {
		return err
	}
	text = append(text, '\n')
	if file == "" {
		_, err = stdout.Write(text)
		return err
	}
	return os.WriteFile(file, text, 0o644)
}

// linesEvery is how often a line of progress is printed where it does not replace the last one.
const linesEvery = 5 * time.Second

// progressLine shows progress: on a terminal in one line that is written anew, elsewhere as a line now and then. end goes to a new line.
func progressLine(w io.Writer) (show func(play.Progress), end func()) {
	if file, ok := w.(*os.File); ok && isatty.IsTerminal(file.Fd()) {
		const anew = "\r\x1b[K"
		return func(p play.Progress) { _, _ = fmt.Fprint(w, anew, p) }, func() { _, _ = fmt.Fprint(w, anew) }
	}
	var last time.Time
	var phase string
	return func(p play.Progress) {
		if p.Phase == phase && time.Since(last) < linesEvery {
			return
		}
		last, phase = time.Now(), p.Phase
		_, _ = fmt.Fprintln(w, p)
	}, func() {}
}

// version is that of the module or the commit that was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && info.Main.Version == "(devel)" {
			return setting.Value[:min(12, len(setting.Value))]
		}
	}
	return info.Main.Version
}
