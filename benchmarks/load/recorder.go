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
	// Instants are nanoseconds since zero, of the monotonic clock. The window: from is in it, until is not.
	zero        time.Time
	from, until atomic.Int64

	// Journeys by their intended start: those that came, found no room, ended well, failed.
	arrived, missed, completed, failed atomic.Int64

	mutex  sync.RWMutex
	shards []*shard // of the workers, and before them one of nobody

	// bins are by operation and second. The workers share them: a lock held for a fraction of a microsecond costs less than a histogram for each
	// worker, operation and second.
	binsMutex sync.Mutex
	bins      map[string][]Bin
}

// NewRecorder makes a recorder that counts nothing yet.
func NewRecorder() *Recorder {
	r := &Recorder{zero: time.Now(), shards: []*shard{newShard()}, bins: map[string][]Bin{}}
	r.from.Store(never)
	r.until.Store(never)
	return r
}

// Begin begins to count, from nothing.
func (r *Recorder) Begin() {
	r.from.Store(never)
	r.mutex.RLock()
	for _, s := range r.shards {
		s.clear()
	}
	r.mutex.RUnlock()
	r.binsMutex.Lock()
	clear(r.bins)
	r.binsMutex.Unlock()
	for _, n := range []*atomic.Int64{&r.arrived, &r.missed, &r.completed, &r.failed} {
		n.Store(0)
	}
	r.until.Store(never)
	r.from.Store(r.instant(time.Now()))
}

// End ends the window. What was intended before counts whenever it ends, so a snapshot is whole when all of that has ended: at the latest after the
// deadline of the requests.
func (r *Recorder) End() { r.until.Store(r.instant(time.Now())) }

func (r *Recorder) instant(t time.Time) int64 { return int64(t.Sub(r.zero)) }

// counts tells whether what was intended then is in the window, and in which second of it.
func (r *Recorder) counts(intended time.Time) (second int, ok bool) {
	at, from := r.instant(intended), r.from.Load()
	if at < from || at >= r.until.Load() {
		return 0, false
	}
	return int((at - from) / int64(time.Second)), true
}

// grow makes room for so many workers.
func (r *Recorder) grow(workers int) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	for len(r.shards) <= workers {
		r.shards = append(r.shards, newShard())
	}
}

func (r *Recorder) shard(worker int) *shard {
	r.mutex.RLock()
	defer r.mutex.RUnlock()
	return r.shards[worker+1]
}

// request records what became of a request.
func (r *Recorder) request(worker int, op string, intended, sent, done time.Time, err error) {
	second, ok := r.counts(intended)
	if !ok {
		return
	}
	response := done.Sub(intended)
	r.shard(worker).request(op, response, done.Sub(sent), sent.Sub(intended), err)
	r.bin(op, second, response, done, err)
}

// observation records what was seen, or was not.
func (r *Recorder) observation(op string, intended, done time.Time, err error) {
	second, ok := r.counts(intended)
	if !ok {
		return
	}
	response := done.Sub(intended)
	r.shard(nobody).observation(op, response, err)
	r.bin(op, second, response, done, err)
}

// journey records what became of an arrival.
func (r *Recorder) journey(intended time.Time, what *atomic.Int64) {
	if _, ok := r.counts(intended); ok {
		what.Add(1)
	}
}

func (r *Recorder) bin(op string, second int, response time.Duration, done time.Time, err error) {
	r.binsMutex.Lock()
	defer r.binsMutex.Unlock()
	bins := r.bins[op]
	ended := max(second, int((r.instant(done)-r.from.Load())/int64(time.Second)))
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
}

func newShard() *shard { return &shard{ops: map[string]*series{}} }

func (s *shard) clear() {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	clear(s.ops)
}

func (s *shard) request(op string, response, service, lateness time.Duration, err error) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	of := s.series(op)
	of.ended(err)
	record(of.lateness, lateness)
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
		of = &series{response: newPacked(), service: newPacked(), lateness: newPacked()}
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
