package load

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"time"
)

// Open is an open loop: journeys start at the instants of Arrivals, however long the earlier ones take.
type Open struct {
	Arrivals Arrivals
	// Workers bounds the requests on their way at a time. A request that waits for a worker is late.
	Workers int
	// MaxJourneys bounds the journeys on their way at a time. An arrival that finds no room is missed: it is counted, and does not start later.
	MaxJourneys int
	// Deadline is how long a request is waited for, from its intended instant; 0 is DefaultDeadline.
	Deadline time.Duration
	// Drain is how long journeys may go on after the last arrival before they are cut; 0 leaves them to end by themselves.
	Drain    time.Duration
	Recorder *Recorder
	Journey  Journey
	// Stop ends the arrivals when it is closed, or nil.
	Stop <-chan struct{}

	// coarse leaves all sleeping to Go's timers, which tests move.
	coarse bool
}

// Outcome is what became of the journeys of a load, in its window and out of it.
type Outcome struct {
	Arrivals, Missed, Completed, Failed int64
	// Seconds passed from the start to the end of the last journey.
	Seconds float64
	// Failure is the first error of a journey, nil if there was none.
	Failure error
}

// Run offers the load and returns when the last journey has ended. If the context ends, journeys are cut at once, and its cause is returned; else the
// error says what is wrong with the settings.
func (o Open) Run(ctx context.Context) (Outcome, error) {
	if o.Arrivals == nil || o.Recorder == nil || o.Journey == nil || o.Workers < 1 || o.MaxJourneys < 1 {
		return Outcome{}, errors.New("an open loop needs arrivals, a recorder, a journey, a worker and room for a journey")
	}
	outer := ctx
	ctx, cut := context.WithCancel(ctx)
	defer cut()
	f := newFlight(o.Recorder, o.Workers, o.Deadline, o.Journey)
	timer := newTimer(o.coarse)
	defer timer.close()
	for n := 0; ; n++ {
		offset, ok := o.Arrivals.Next()
		if !ok {
			break
		}
		intended := f.start.Add(offset)
		if !timer.wait(ctx, o.Stop, intended) {
			break
		}
		f.arrive(intended)
		if f.flying.Load() >= int64(o.MaxJourneys) {
			f.miss(intended)
			continue
		}
		f.flying.Add(1)
		f.all.Go(func() {
			defer f.flying.Add(-1)
			_ = f.fly(ctx, n, intended) // counted
		})
	}
	return f.land(outer, o.Drain, cut)
}

// flight is the journeys of a load.
type flight struct {
	recorder *Recorder
	caller   *Caller
	journey  Journey
	start    time.Time

	all                                sync.WaitGroup
	flying                             atomic.Int64
	arrived, missed, completed, failed atomic.Int64
	failure                            atomic.Pointer[error]
}

func newFlight(recorder *Recorder, workers int, deadline time.Duration, journey Journey) *flight {
	return &flight{recorder: recorder, caller: NewCaller(recorder, workers, deadline), journey: journey, start: time.Now()}
}

func (f *flight) arrive(intended time.Time) {
	f.arrived.Add(1)
	f.recorder.journey(intended, &f.recorder.arrived)
}

func (f *flight) miss(intended time.Time) {
	f.missed.Add(1)
	f.recorder.journey(intended, &f.recorder.missed)
}

// fly makes one journey.
func (f *flight) fly(ctx context.Context, n int, intended time.Time) error {
	err := f.journey(ctx, f.caller, n, intended)
	if err == nil {
		f.completed.Add(1)
		f.recorder.journey(intended, &f.recorder.completed)
		return nil
	}
	f.failed.Add(1)
	f.recorder.journey(intended, &f.recorder.failed)
	f.failure.CompareAndSwap(nil, &err)
	return err
}

// land waits for the journeys, and cuts them after drain if that is not 0. The end of the context is an error.
func (f *flight) land(ctx context.Context, drain time.Duration, cut func()) (Outcome, error) {
	if drain > 0 {
		timer := time.AfterFunc(drain, cut)
		defer timer.Stop()
	}
	f.all.Wait()
	o := Outcome{
		Arrivals: f.arrived.Load(), Missed: f.missed.Load(), Completed: f.completed.Load(), Failed: f.failed.Load(),
		Seconds: time.Since(f.start).Seconds(),
	}
	if failure := f.failure.Load(); failure != nil {
		o.Failure = *failure
	}
	if ctx.Err() != nil {
		return o, context.Cause(ctx)
	}
	return o, nil
}
