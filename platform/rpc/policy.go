package rpc

import (
	"cmp"
	"fmt"
	"time"
)

// Policy is how calls to a module that is elsewhere are made. The tags are the keys of the configuration; see DefaultPolicy for the
// defaults.
type Policy struct {
	// Timeout bounds a call, its retries included. A caller's deadline that is nearer counts instead.
	Timeout time.Duration `koanf:"timeout"`
	// Attempt is how long one replica is waited for before a call that may be repeated turns to another one.
	Attempt time.Duration `koanf:"attempt"`
	// Attempts is how often a call is made at most, if the module cannot be reached or takes no requests: a query, or a command with an
	// operation key. 1 means no retries.
	Attempts int     `koanf:"attempts"`
	Backoff  Backoff `koanf:"backoff"`
	// Budget is how many retries there may be per call, over all calls: 0.2 means that a module which is in trouble gets a fifth more
	// calls, and no more.
	Budget   float64  `koanf:"budget"`
	Breaker  Breaker  `koanf:"breaker"`
	Bulkhead Bulkhead `koanf:"bulkhead"`
	Ejection Ejection `koanf:"ejection"`
}

// Backoff is how long is waited before a retry: a random time from zero to First, which doubles with each retry up to Longest.
type Backoff struct {
	First   time.Duration `koanf:"first"`
	Longest time.Duration `koanf:"longest"`
}

// Breaker is when calls to a module are given up before they are made. Any answer of the module, a fault too, is a sign of life; what
// counts as failed is a call that was lost or has met with silence.
type Breaker struct {
	// Rate is the share of calls that must have failed, of at least Calls calls within Window.
	Rate   float64       `koanf:"rate"`
	Calls  int           `koanf:"calls"`
	Window time.Duration `koanf:"window"`
	// Open is after how long calls are tried again, a few at first.
	Open time.Duration `koanf:"open"`
}

// Bulkhead is how many calls to a module may be under way, and how long one more waits for its turn.
type Bulkhead struct {
	Calls int           `koanf:"calls"`
	Wait  time.Duration `koanf:"wait"`
}

// Ejection is when a replica is passed over: after Failures calls in a row that were lost or met with silence. After Time one call
// tries it again, and either brings it back or has it passed over for the same time once more. Where no other replica is left, one
// that is ejected is used all the same.
type Ejection struct {
	Failures int           `koanf:"failures"`
	Time     time.Duration `koanf:"time"`
}

// DefaultPolicy suits modules that answer within milliseconds, over a network that loses little.
func DefaultPolicy() Policy {
	return Policy{
		Timeout:  5 * time.Second,
		Attempt:  time.Second,
		Attempts: 3,
		Backoff:  Backoff{First: 25 * time.Millisecond, Longest: 500 * time.Millisecond},
		Budget:   0.2,
		Breaker:  Breaker{Rate: 0.5, Calls: 20, Window: 10 * time.Second, Open: time.Second},
		Bulkhead: Bulkhead{Calls: 256, Wait: 100 * time.Millisecond},
		Ejection: Ejection{Failures: 3, Time: 2 * time.Second},
	}
}

// Over returns p with what own states instead: a value that is zero in own is taken from p.
func (p Policy) Over(own Policy) Policy {
	return Policy{
		Timeout:  cmp.Or(own.Timeout, p.Timeout),
		Attempt:  cmp.Or(own.Attempt, p.Attempt),
		Attempts: cmp.Or(own.Attempts, p.Attempts),
		Backoff:  Backoff{cmp.Or(own.Backoff.First, p.Backoff.First), cmp.Or(own.Backoff.Longest, p.Backoff.Longest)},
		Budget:   cmp.Or(own.Budget, p.Budget),
		Breaker: Breaker{
			cmp.Or(own.Breaker.Rate, p.Breaker.Rate), cmp.Or(own.Breaker.Calls, p.Breaker.Calls),
			cmp.Or(own.Breaker.Window, p.Breaker.Window), cmp.Or(own.Breaker.Open, p.Breaker.Open),
		},
		Bulkhead: Bulkhead{cmp.Or(own.Bulkhead.Calls, p.Bulkhead.Calls), cmp.Or(own.Bulkhead.Wait, p.Bulkhead.Wait)},
		Ejection: Ejection{cmp.Or(own.Ejection.Failures, p.Ejection.Failures), cmp.Or(own.Ejection.Time, p.Ejection.Time)},
	}
}

// Validate returns everything that is wrong with the policy, each error with the key of the value; the keys begin with prefix, such as
// "calls".
func (p Policy) Validate(prefix string) []error {
	var errs []error
	that := func(ok bool, key, want string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s.%s must be %s", prefix, key, want))
		}
	}
	const share = "more than 0 and at most 1"
	that(p.Timeout > 0, "timeout", "more than 0")
	that(p.Attempt > 0, "attempt", "more than 0")
	that(p.Attempts >= 1 && p.Attempts <= 10, "attempts", "1 to 10")
	that(p.Backoff.First > 0, "backoff.first", "more than 0")
	that(p.Backoff.Longest >= p.Backoff.First, "backoff.longest", "at least backoff.first")
	that(p.Budget > 0 && p.Budget <= 1, "budget", share)
	that(p.Breaker.Rate > 0 && p.Breaker.Rate <= 1, "breaker.rate", share)
	that(p.Breaker.Calls >= 1, "breaker.calls", "at least 1")
	that(p.Breaker.Window >= 10*time.Millisecond, "breaker.window", "at least 10ms")
	that(p.Breaker.Open > 0, "breaker.open", "more than 0")
	that(p.Bulkhead.Calls >= 1, "bulkhead.calls", "at least 1")
	that(p.Bulkhead.Wait >= 0, "bulkhead.wait", "0 or more")
	that(p.Ejection.Failures >= 1, "ejection.failures", "at least 1")
	that(p.Ejection.Time > 0, "ejection.time", "more than 0")
	return errs
}
