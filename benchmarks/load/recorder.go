package load

import (
	"math"
	"sync"
	"sync/atomic"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
)

// Histograms are of microseconds, with three significant digits. What took longer than the highest is counted as the highest.
const (
	highest = 60_000_000
	digits  = 3
)

// never is an instant after all others.
const never = math.MaxInt64

// nobody is the number of the worker that an observation has, and a request that found none.
const nobody = -1

// Recorder keeps what became of requests. It counts what was intended between Begin and End; before Begin it counts nothing. It may be used by many
// goroutines.
type Recorder struct {
	zero time.Time // instants are nanoseconds since then, of the monotonic clock

	// mutex is held for writing by what changes the window or the shards, and for reading by what records.
	mutex       sync.RWMutex
	from, until int64    // the window: from is in it, until is not
	shards      []*shard // that of nobody, then those of the workers

	// Journeys by their intended start: those that came, found no room, ended well, failed.
	arrived, missed, completed, failed atomic.Int64

	// bins are by operation and second. The workers share them: a lock held for a fraction of a microsecond costs less than a histogram for each
	// worker, operation and second.
	binsMutex sync.Mutex
	bins      map[string][]Bin
}

// NewRecorder makes a recorder that counts nothing yet.
func NewRecorder() *Recorder {
	return &Recorder{zero: time.Now(), from: never, until: never, shards: []*shard{newShard()}, bins: map[string][]Bin{}}
}

// Begin begins to count, from nothing.
func (r *Recorder) Begin() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for i := range r.shards {
		r.shards[i] = newShard()
	}
	r.bins = map[string][]Bin{}
	for _, n := range []*atomic.Int64{&r.arrived, &r.missed, &r.completed, &r.failed} {
		n.Store(0)
	}
	r.from, r.until = r.instant(time.Now()), never
}

// End ends the window. What was intended before counts whenever it ends, so a snapshot is whole when all of that has ended: at the latest after the
// deadline of the requests.
func (r *Recorder) End() {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.until = min(r.until, r.instant(time.Now()))
}

func (r *Recorder) instant(t time.Time) int64 { return int64(t.Sub(r.zero)) }

// second tells the second of the window in which something was intended; ok is false if it was intended outside of it.
func (r *Recorder) second(intended time.Time) (second int, ok bool) {
	at := r.instant(intended)
	if at < r.from || at >= r.until {
		return 0, false
	}
	return int((at - r.from) / int64(time.Second)), true
}

// grow makes room for so many workers.
func (r *Recorder) grow(workers int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for len(r.shards) <= workers {
		r.shards = append(r.shards, newShard())
	}
}

// request records what became of a request. One that is scheduled had an instant of its own.
func (r *Recorder) request(worker int, op string, intended, sent, done time.Time, scheduled bool, err error) {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	second, ok := r.second(intended)
	if !ok {
		return
	}
	response := done.Sub(intended)
	r.shards[worker+1].request(op, response, done.Sub(sent), sent.Sub(intended), scheduled, err)
	r.bin(op, second, response, done, err)
}

// observation records what was seen, or was not.
func (r *Recorder) observation(op string, intended, done time.Time, err error) {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	second, ok := r.second(intended)
	if !ok {
		return
	}
	response := done.Sub(intended)
	r.shards[nobody+1].observation(op, response, err)
	r.bin(op, second, response, done, err)
}

// journey counts an arrival as one of the recorder's counts.
func (r *Recorder) journey(intended time.Time, as *atomic.Int64) {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	if _, ok := r.second(intended); ok {
		as.Add(1)
	}
}

// bin records in the second in which it was intended and the one in which it ended.
func (r *Recorder) bin(op string, second int, response time.Duration, done time.Time, err error) {
	r.binsMutex.Lock()
	defer r.binsMutex.Unlock()
	bins := r.bins[op]
	ended := max(second, int((r.instant(done)-r.from)/int64(time.Second)))
	for len(bins) <= ended {
		bins = append(bins, Bin{})
	}
	r.bins[op] = bins
	bins[ended].Ended++
	b := &bins[second]
	b.Count++
	if err != nil {
		b.Failed++
	}
	if felt(err) {
		if b.Response == nil {
			b.Response = newPacked()
		}
		record(b.Response, response)
	}
}

// felt says whether the time that a request took is a response time: that of one that was answered, or that was waited for until the deadline. An
// error that came fast is no fast answer.
func felt(err error) bool { return err == nil || Kind(err) == KindDeadline }

// shard is what one worker records. Its lock is free but for the moment when somebody asks for the figures.
type shard struct {
	mutex sync.Mutex
	ops   map[string]*series
}

// series is what a shard knows of one operation. Its histograms are sparse: a full one takes 140 KB, and there may be a thousand of them.
type series struct {
	count                       int64
	observed                    bool
	kinds                       map[string]int64
	response, service, lateness *hdrhistogram.PackedHistogram
	scheduled                   *hdrhistogram.PackedHistogram // the lateness of those that were
}

func newShard() *shard { return &shard{ops: map[string]*series{}} }

func (s *shard) request(op string, response, service, lateness time.Duration, scheduled bool, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	of := s.series(op)
	of.ended(err)
	record(of.lateness, lateness)
	if scheduled {
		record(of.scheduled, lateness)
	}
	if felt(err) {
		record(of.response, response)
		record(of.service, service)
	}
}

func (s *shard) observation(op string, response time.Duration, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	of := s.series(op)
	of.observed = true
	of.ended(err)
	if felt(err) {
		record(of.response, response)
	}
}

func (s *shard) series(op string) *series {
	of := s.ops[op]
	if of == nil {
		of = &series{response: newPacked(), service: newPacked(), lateness: newPacked(), scheduled: newPacked()}
		s.ops[op] = of
	}
	return of
}

func (s *series) ended(err error) {
	s.count++
	if err == nil {
		return
	}
	if s.kinds == nil {
		s.kinds = map[string]int64{}
	}
	s.kinds[Kind(err)]++
}

func newPacked() *hdrhistogram.PackedHistogram { return hdrhistogram.NewPacked(1, highest, digits) }

// record puts a duration into a histogram that holds all from 0 to highest.
func record(h *hdrhistogram.PackedHistogram, d time.Duration) {
	_ = h.RecordValue(min(max(d.Microseconds(), 0), highest)) // cannot fail in these bounds
}
