package load

import (
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Snapshot is what a recorder has counted.
type Snapshot struct {
	// Begin and End bound the window; End is the moment of the snapshot if the window has not ended.
	Begin, End time.Time
	// Arrivals are those intended in the window; Missed of them found no room. The others have Completed or Failed, or still go on.
	Arrivals, Missed, Completed, Failed int64
	// Ops are by what was asked.
	Ops map[string]Op
	// Errors are by "operation: kind".
	Errors map[string]int64
}

// Op is what became of the requests of one operation, or of what was observed under one name.
type Op struct {
	// Observed says that it is no request: it has only response times.
	Observed bool
	// Count is how many have ended, Failed how many of them with an error.
	Count, Failed int64
	// The histograms are of microseconds. Response and Service hold requests that were answered and, with the time that they were waited for, those
	// that were not before their deadline: to leave these out would make an overloaded server look fast. Lateness holds all, Scheduled that of those
	// which had an instant of their own: by Do, not by Then.
	Response, Service, Lateness, Scheduled *hdrhistogram.Histogram
	// Bins are the whole seconds of the window. What is left of a second at its end has no bin.
	Bins []Bin
}

// Bin is one second of the window.
type Bin struct {
	// Count and Failed are of those intended in this second; Ended is of those that ended in it.
	Count, Failed, Ended int64
	// Response is of those intended in this second, in microseconds; nil if there are none.
	Response *hdrhistogram.PackedHistogram
}

// Seconds is the length of the window.
func (s Snapshot) Seconds() float64 { return s.End.Sub(s.Begin).Seconds() }

// Snapshot tells what has been counted so far. It is whole when the load has ended.
func (r *Recorder) Snapshot() Snapshot {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	s := Snapshot{
		Arrivals: r.arrived.Load(), Missed: r.missed.Load(), Completed: r.completed.Load(), Failed: r.failed.Load(),
		Ops: map[string]Op{}, Errors: map[string]int64{},
	}
	if r.from == never {
		return s
	}
	until := min(r.until, r.instant(time.Now()))
	s.Begin, s.End = r.zero.Add(time.Duration(r.from)), r.zero.Add(time.Duration(until))
	for _, shard := range r.shards {
		shard.into(&s)
	}
	r.binsMutex.Lock()
	defer r.binsMutex.Unlock()
	for name, op := range s.Ops {
		op.Bins = copied(r.bins[name], int(s.End.Sub(s.Begin)/time.Second))
		s.Ops[name] = op
	}
	return s
}

// copied are the first bins, so many of them.
func copied(bins []Bin, seconds int) []Bin {
	first := make([]Bin, seconds)
	copy(first, bins)
	for i := range first {
		if first[i].Response != nil {
			first[i].Response = first[i].Response.Clone()
		}
	}
	return first
}

// into adds what a shard knows.
func (s *shard) into(snapshot *Snapshot) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	for name, of := range s.ops {
		op, ok := snapshot.Ops[name]
		if !ok {
			op = newOp()
		}
		op.Observed = op.Observed || of.observed
		op.Count += of.count
		for kind, n := range of.kinds {
			op.Failed += n
			snapshot.Errors[name+": "+kind] += n
		}
		of.response.MergeInto(op.Response)
		of.service.MergeInto(op.Service)
		of.lateness.MergeInto(op.Lateness)
		of.scheduled.MergeInto(op.Scheduled)
		snapshot.Ops[name] = op
	}
}

// All are all requests as one operation, without what was observed.
func (s Snapshot) All() Op {
	all := newOp()
	for _, op := range s.Ops {
		if op.Observed {
			continue
		}
		all.Count += op.Count
		all.Failed += op.Failed
		all.Response.Merge(op.Response)
		all.Service.Merge(op.Service)
		all.Lateness.Merge(op.Lateness)
		all.Scheduled.Merge(op.Scheduled)
		for i, b := range op.Bins {
			if i == len(all.Bins) {
				all.Bins = append(all.Bins, Bin{})
			}
			all.Bins[i].add(b)
		}
	}
	return all
}

func (b *Bin) add(other Bin) {
	b.Count += other.Count
	b.Failed += other.Failed
	b.Ended += other.Ended
	if other.Response == nil {
		return
	}
	if b.Response == nil {
		b.Response = newPacked()
	}
	b.Response.Merge(other.Response)
}

func newOp() Op {
	return Op{Response: newHistogram(), Service: newHistogram(), Lateness: newHistogram(), Scheduled: newHistogram()}
}

func newHistogram() *hdrhistogram.Histogram { return hdrhistogram.New(1, highest, digits) }
