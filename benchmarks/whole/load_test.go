package whole

import (
	"sync"
	"sync/atomic"
	"time"
)

// load is a number of diners that order when they are told to, each one order at a time.
type load struct {
	city     *city
	follower *live
	life     func(by *client, o order) bool // what happens to an approved order; nil for nothing
	turns    chan int
	working  sync.WaitGroup // the orders under way
	number   atomic.Int64

	mu           sync.Mutex
	placed, done times
}

// load makes n diners, who stop when the benchmark ends.
func (c *city) load(n int, follower *live, life func(by *client, o order) bool) *load {
	l := &load{city: c, follower: follower, life: life, turns: make(chan int)}
	for range n {
		by := dial(c.b, c.server.addr)
		go func() {
			defer by.close()
			for number := range l.turns {
				l.order(by, number)
				l.working.Done()
			}
		}()
	}
	c.b.Cleanup(func() { close(l.turns) })
	return l
}

func (l *load) order(by *client, number int) {
	began := time.Now()
	o, err := l.city.place(by, number)
	if err != nil {
		l.city.b.Error(err)
		return
	}
	placed := time.Since(began)
	ok := l.follower.await(o.ID, "APPROVED")
	if ok && l.life != nil {
		ok = l.life(by, o)
	}
	if !ok {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.placed = append(l.placed, placed)
	l.done = append(l.done, time.Since(began))
}

// next has a diner order as soon as one is free.
func (l *load) next() {
	l.working.Add(1)
	l.turns <- int(l.number.Add(1))
}

// wait returns when no order is under way.
func (l *load) wait() { l.working.Wait() }

// run has n orders made and waits for them.
func (l *load) run(n int) {
	for range n {
		l.next()
	}
	l.wait()
}

// forget drops the samples so far.
func (l *load) forget() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.placed, l.done = nil, nil
}
