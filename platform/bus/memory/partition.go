package memory

import (
	"sync"
	"sync/atomic"

	"github.com/ThreeDotsLabs/watermill/message"
)

// entry is a message in a partition. The entries are a linked list, so that each is freed when the last group has gone past it.
type entry struct {
	msg     *message.Message
	settled func(*message.Message)
	next    *entry
	// pending counts the groups that have not acked the message.
	pending int
}

// partition is an ordered list of messages that at least one group has not acked.
type partition struct {
	// room holds one token for each of them; a full channel makes publishers wait, first come, first served.
	room chan struct{}

	mu    sync.Mutex
	tail  *entry
	lanes []*lane
}

func newPartition(queue int) *partition {
	return &partition{room: make(chan struct{}, queue), tail: &entry{}}
}

// append adds a message for which the caller has put a token into room.
func (p *partition) append(msg *message.Message, settled func(*message.Message)) {
	p.mu.Lock()
	if len(p.lanes) == 0 {
		p.mu.Unlock()
		p.settle(&entry{msg: msg, settled: settled})
		return
	}
	e := &entry{msg: msg, settled: settled, pending: len(p.lanes)}
	p.tail.next = e
	p.tail = e
	for _, l := range p.lanes {
		if l.idle {
			l.idle = false
			l.wake <- struct{}{}
		}
	}
	p.mu.Unlock()
}

func (p *partition) settle(e *entry) {
	<-p.room
	if e.settled != nil {
		e.settled(e.msg)
	}
}

// join adds a group whose place is the end of the partition.
func (p *partition) join() *lane {
	p.mu.Lock()
	defer p.mu.Unlock()
	l := &lane{partition: p, last: p.tail, wake: make(chan struct{}, 1), turn: make(chan struct{}, 1)}
	l.turn <- struct{}{}
	p.lanes = append(p.lanes, l)
	return l
}

// lane is a group's place in a partition. Whoever holds the token from turn delivers from it, so one message is in flight at most,
// and members of a group take turns.
type lane struct {
	partition *partition
	turn      chan struct{}
	waiting   atomic.Int32 // members that wait for the turn
	// wake has a token for the holder of the turn, once it has found no message and said so by idle.
	wake chan struct{}

	// Guarded by the partition's mutex. last is the message that the group acked last.
	last *entry
	idle bool
}

// enter waits for the turn; false if done ends first.
func (l *lane) enter(done <-chan struct{}) bool {
	l.waiting.Add(1)
	defer l.waiting.Add(-1)
	select {
	case <-l.turn:
		return true
	case <-done:
		return false
	}
}

// head waits for the first message that the group has not acked; nil if done ends first.
func (l *lane) head(done <-chan struct{}) *entry {
	for {
		l.partition.mu.Lock()
		e := l.last.next
		l.idle = e == nil
		l.partition.mu.Unlock()
		if e != nil {
			return e
		}
		select {
		case <-l.wake:
		case <-done:
			l.stopWaiting()
			return nil
		}
	}
}

// stopWaiting leaves wake empty for the next holder of the turn, because append must never find it full.
func (l *lane) stopWaiting() {
	l.partition.mu.Lock()
	defer l.partition.mu.Unlock()
	if !l.idle {
		<-l.wake
	}
	l.idle = false
}

// advance moves the group past the message e, which it has acked.
func (l *lane) advance(e *entry) {
	p := l.partition
	p.mu.Lock()
	l.last = e
	e.pending--
	settled := e.pending == 0
	p.mu.Unlock()
	if settled {
		p.settle(e)
	}
}
