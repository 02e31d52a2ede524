package database

import "sync"

// Listen has f called after each commit that said Notify(topic): of this process, and of every other one that has the schema open. It is
// also called when such a commit may have been missed, as after a lost connection. f runs on a goroutine that others wait for, so it
// must not block: it wakes somebody. stop ends it.
func (db *DB) Listen(topic string, f func()) (stop func()) { return db.notices.add(topic, f, false) }

// ListenOthers is Listen without this process's own commits. Where no other process can have the schema open, f is never called.
func (db *DB) ListenOthers(topic string, f func()) (stop func()) {
	return db.notices.add(topic, f, true)
}

// Notify wakes who listens to topic, in every process that has the schema open, after the commit; never if the command is rolled back. A
// topic is a short word.
func (tx *Tx) Notify(topic string) { tx.topics = append(tx.topics, topic) }

// notices are who listens in this process.
type notices struct {
	mu    sync.Mutex
	next  int
	heard map[int]listener
}

type listener struct {
	topic  string
	f      func()
	others bool // hears only of other processes
}

func (n *notices) add(topic string, f func(), others bool) (stop func()) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.heard == nil {
		n.heard = map[int]listener{}
	}
	id := n.next
	n.next++
	n.heard[id] = listener{topic, f, others}
	return func() {
		n.mu.Lock()
		defer n.mu.Unlock()
		delete(n.heard, id)
	}
}

// own tells of a commit of this process.
func (n *notices) own(topic string) {
	n.wake(func(l listener) bool { return l.topic == topic && !l.others })
}

// foreign tells of a commit of another process.
func (n *notices) foreign(topic string) {
	n.wake(func(l listener) bool { return l.topic == topic })
}

// missed is for when nobody knows what was.
func (n *notices) missed() { n.wake(func(listener) bool { return true }) }

func (n *notices) wake(concerned func(listener) bool) {
	var concern []func()
	n.mu.Lock()
	for _, l := range n.heard {
		if concerned(l) {
			concern = append(concern, l.f)
		}
	}
	n.mu.Unlock() // They may stop listening.
	for _, f := range concern {
		f()
	}
}
