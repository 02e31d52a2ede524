package command

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"kerf/benchmarks/town"
)

// options are the command line.
type options struct {
	target, mix, instance, json, ca   string
	rate, speed                       float64
	length, warmup, deadline, drain   time.Duration
	think, poll                       time.Duration
	closed, workers, journeys         int
	seed                              uint64
	restaurants, diners, couriersSent int
}

// misuse is an error of whoever called the command.
type misuse struct{ error }

func (misuse) Usage() bool { return true }

func (m misuse) Unwrap() error { return m.error }

func misused(format string, args ...any) error { return misuse{fmt.Errorf(format, args...)} }

// parse reads the flags. What is wrong with them is told in one line, as every error is; -h tells all of them on stderr.
func parse(args []string, stderr io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("load", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.StringVar(&o.target, "target", "http://127.0.0.1:8080", "`URL` of the deployment")
	flags.StringVar(&o.mix, "mix", "standard", "what is done: "+strings.Join(mixNames(), ", "))
	flags.Float64Var(&o.rate, "rate", 20, "open loop: journeys per second")
	flags.IntVar(&o.closed, "closed", 0, "closed loop: so many clients, each of which goes on as soon as it can")
	flags.StringVar(&o.instance, "instance", "", "open loop: repeat the arrivals of the day in this `folder`; small is the one that Kerf ships")
	flags.Float64Var(&o.speed, "speed", 60, "so many times as fast as they were recorded")
	flags.DurationVar(&o.length, "for", 30*time.Second, "how long is measured (a day: at most)")
	flags.DurationVar(&o.warmup, "warmup", 3*time.Second, "how long the load is offered before that; a day has none")
	flags.DurationVar(&o.deadline, "deadline", 10*time.Second, "how long an answer is waited for")
	flags.DurationVar(&o.drain, "drain", time.Minute, "how long journeys may go on after the end, and how long is waited for quiet")
	flags.DurationVar(&o.think, "think", 0, "pause between the requests of a journey")
	flags.DurationVar(&o.poll, "poll", time.Second, "how often a free courier looks for an offer")
	flags.IntVar(&o.workers, "workers", 64, "open loop: connections, and so requests at a time")
	flags.IntVar(&o.journeys, "journeys", 2000, "open loop: journeys at a time; arrivals beyond are missed")
	flags.IntVar(&o.restaurants, "restaurants", 8, "how many there are in town")
	flags.IntVar(&o.diners, "diners", 128, "how many there are in town")
	flags.IntVar(&o.couriersSent, "couriers", 0, "how many there are in town (default: what the rate needs)")
	flags.Uint64Var(&o.seed, "seed", 1, "of all that is random")
	flags.StringVar(&o.ca, "ca", "", "`file` of the certificates that https is to be trusted by, instead of the machine's")
	flags.StringVar(&o.json, "json", "", "write what was measured into this `file`, too")
	if err := flags.Parse(args); errors.Is(err, flag.ErrHelp) {
		fmt.Fprint(stderr, "Usage: go run ./benchmarks load [flags]\n\n")
		flags.SetOutput(stderr)
		flags.PrintDefaults()
		return o, err
	} else if err != nil {
		return o, misuse{err}
	}
	given := map[string]bool{}
	flags.Visit(func(f *flag.Flag) { given[f.Name] = true })
	return o, o.check(flags.Args(), given)
}

func mixNames() (names []string) {
	for _, m := range town.Mixes() {
		names = append(names, m.Name)
	}
	return names
}

func (o *options) check(rest []string, given map[string]bool) error {
	switch {
	case len(rest) > 0:
		return misused("%q is no flag", rest[0])
	case given["closed"] && (given["rate"] || o.instance != ""):
		return misused("a closed loop has clients; it has neither -rate nor -instance")
	case o.instance != "" && given["rate"]:
		return misused("a day has its own rate: leave -rate away, and change -speed")
	case given["speed"] && o.instance == "":
		return misused("-speed is that of a day: give -instance")
	case o.rate <= 0, given["closed"] && o.closed <= 0, o.speed <= 0:
		return misused("-rate, -closed and -speed must be positive")
	case o.length <= 0, o.warmup < 0, o.deadline <= 0, o.drain <= 0, o.think < 0, o.poll <= 0:
		return misused("durations must be positive; only -warmup and -think may be 0")
	case o.workers <= 0, o.journeys <= 0, o.restaurants <= 0, o.diners <= 0, o.couriersSent < 0:
		return misused("-workers, -journeys, -restaurants, -diners and -couriers must be positive")
	}
	if _, err := o.chosen(); err != nil {
		return err
	}
	if o.instance != "" {
		o.warmup = 0
		if !given["for"] {
			o.length = 24 * time.Hour
		}
	}
	return nil
}

// chosen is the mix that the options name.
func (o *options) chosen() (town.Mix, error) {
	for _, m := range town.Mixes() {
		if m.Name == o.mix {
			m.Think, m.Poll = o.think, o.poll
			return m, nil
		}
	}
	return town.Mix{}, misused("there is no mix %q, but %s", o.mix, strings.Join(mixNames(), ", "))
}

// couriers is how many there are: each has an order for about two seconds, most of which pass until the phone looks.
func (o *options) couriers(rate float64) int {
	if o.couriersSent > 0 {
		return o.couriersSent
	}
	if o.closed > 0 {
		return max(16, o.closed)
	}
	return min(512, max(16, int(3*rate*(0.5+o.poll.Seconds()))))
}

// trust is what https is trusted by.
func (o *options) trust() (*tls.Config, error) {
	if o.ca == "" {
		return nil, nil
	}
	text, err := os.ReadFile(o.ca)
	if err != nil {
		return nil, misuse{err}
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(text) {
		return nil, misused("%s holds no certificate", o.ca)
	}
	return &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, nil
}
