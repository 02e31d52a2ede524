package experiments

import (
	"context"
	"errors"
	"fmt"
	"time"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/benchmarks/town"
	"kerf/benchmarks/usage"
)

// measured is what one window of load told.
type measured struct {
	Load    load.Snapshot
	Outcome load.Outcome
	Usage   usage.Window
	// Seconds are the CPU that modules, broker and database had used at each second of the window, in seconds.
	Seconds []float64
	// Traffic is what passed between modules in the window, if it was asked for.
	Traffic *traffic
}

// load drives the town: first the warm-up, then the window that counts. The load goes on without a break until the window has ended, and is ended
// then; load returns when the last journey has.
func (s *site) load(ctx context.Context, d drive) (m measured, err error) {
	d = d.withDefaults(s.trial.Setting.Profile)
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	go func() {
		select {
		case <-s.stand.Ended():
			cancel(errors.New("the topology ended in the midst of the run"))
		case <-ctx.Done():
		}
	}()
	recorder, stop, loaded := load.NewRecorder(), make(chan struct{}), make(chan error, 1)
	loop := d.loop(s, recorder, stop)
	go func() {
		outcome, err := loop(ctx)
		m.Outcome = outcome
		loaded <- err
	}()
	err = s.window(ctx, d, recorder, &m)
	if err != nil {
		cancel(err)
	}
	close(stop)
	s.trial.Stage("drain")
	if ended := <-loaded; err == nil && ended != nil {
		err = fmt.Errorf("load: %w", ended)
	}
	m.Load = recorder.Snapshot()
	return m, err
}

// window waits for the warm-up, and measures the window after it.
func (s *site) window(ctx context.Context, d drive, recorder *load.Recorder, m *measured) (err error) {
	s.trial.Stage("warm-up")
	if err := wait(ctx, d.Warmup); err != nil {
		return err
	}
	s.trial.Stage("window")
	var before traffic
	if d.Count {
		if before, err = s.traffic(ctx); err != nil {
			return err
		}
	}
	if err := s.watch.Begin(); err != nil {
		return err
	}
	recorder.Begin()
	if err := s.pass(ctx, d, m); err != nil {
		return err
	}
	recorder.End()
	if m.Usage, err = s.watch.End(); err != nil {
		return err
	}
	if d.Count {
		after, err := s.traffic(ctx)
		if err != nil {
			return err
		}
		passed := after.less(before)
		m.Traffic = &passed
	}
	return nil
}

// pass lets the window pass, looks at the CPU every second, and runs what is to run beside it.
func (s *site) pass(ctx context.Context, d drive, m *measured) error {
	within, cancel := context.WithTimeout(ctx, d.Window)
	defer cancel()
	beside := make(chan error, 1)
	if d.Beside == nil {
		beside <- nil
	} else {
		go func() { beside <- d.Beside(within, s) }()
	}
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for within.Err() == nil {
		select {
		case <-tick.C:
			m.Seconds = append(m.Seconds, s.watch.CPU(usage.Modules)+s.watch.CPU(usage.Planted)+s.watch.CPU(usage.Broker)+s.watch.CPU(usage.Database))
		case <-within.Done():
		}
	}
	if err := <-beside; err != nil && ctx.Err() == nil {
		return err
	}
	return context.Cause(ctx)
}

// orders are those that were placed in the window.
func (m measured) orders() int64 {
	place := m.Load.Ops[string(town.Place)]
	return place.Count - place.Failed
}

// fill puts what was measured into the record.
func (m measured) fill(record *lab.Record) {
	record.Values, record.Samples = map[string]float64{}, map[string]int64{}
	record.Usage, record.Errors = m.Usage, m.Load.Errors
	record.Sends, record.Missed = m.Load.Arrivals, m.Load.Missed
	m.usage(record)
	m.times(record)
	m.series(record)
	if m.Traffic != nil {
		m.Traffic.fill(record, float64(m.orders()))
	}
}

// usage tells CPU per order by role, memory and the number of processes.
func (m measured) usage(record *lab.Record) {
	cpu := m.Usage.CPU
	modules := cpu[usage.Modules] + cpu[usage.Planted]
	if orders := float64(m.orders()); orders > 0 {
		for metric, seconds := range map[string]float64{
			modulesPerOrder.Name: modules, brokerPerOrder.Name: cpu[usage.Broker], databasePerOrder.Name: cpu[usage.Database],
			generatorPerOrder.Name: cpu[usage.Generator], restPerOrder.Name: cpu[usage.Rest] + cpu[usage.Launcher],
			totalPerOrder.Name: modules + cpu[usage.Broker] + cpu[usage.Database],
		} {
			record.Values[metric] = 1000 * seconds / orders
			record.Samples[metric] = m.orders()
		}
	}
	var resident float64
	var ours int
	for _, p := range m.Usage.Processes {
		switch p.Role {
		case usage.Modules:
			ours++
			resident += p.PSS
		case usage.Broker, usage.Database:
			resident += p.PSS
		}
	}
	record.Values[pss.Name], record.Values[processes.Name] = resident, float64(ours)
	record.Values[ordersPerSecond.Name] = float64(m.orders()) / m.Load.Seconds()
}

// times tells percentiles, where there are samples enough, and distributions.
func (m measured) times(record *lab.Record) {
	all := m.Load.All()
	for name, of := range map[string]*load.Op{"place": m.op(town.Place), "approved": m.op(town.Approved), "page": m.op(town.Page), "all": &all} {
		if of == nil || of.Response == nil {
			continue
		}
		for _, p := range []int{50, 90, 99} {
			metric := fmt.Sprintf("%s_p%d_ms", name, p)
			if ms, ok := load.Percentile(of.Response, float64(p)); ok {
				record.Values[metric], record.Samples[metric] = ms, of.Response.TotalCount()
			}
		}
		keep(record, name+"/response", of.Response)
		if !of.Observed {
			keep(record, name+"/service", of.Service)
			keep(record, name+"/lateness", of.Lateness)
		}
	}
	keep(record, "scheduled/lateness", all.Scheduled)
	if ms, ok := load.Percentile(all.Scheduled, 99); ok {
		record.Values[latenessP99.Name] = ms
	}
	if all.Count > 0 {
		record.Values[errorsPer1000.Name] = 1000 * float64(all.Failed) / float64(all.Count)
	}
	if m.Load.Arrivals > 0 {
		record.Values[missedShare.Name] = float64(m.Load.Missed) / float64(m.Load.Arrivals)
	}
}

func (m measured) op(name town.Op) *load.Op {
	op, ok := m.Load.Ops[string(name)]
	if !ok {
		return nil
	}
	return &op
}
