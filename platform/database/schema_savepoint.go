package database

import "fmt"

// steer moves between savepoints. It puts what that takes into the queue, and takes out what has become superfluous.
func (s *schemaSession) steer(to control) error {
	if to != save && s.lost() != intact {
		return s.gone()
	}
	switch to {
	case save:
		return s.save()
	case undo:
		s.undo()
	case release:
		s.release()
	case saveInner:
		return s.saveInner()
	case undoInner:
		s.undoInner()
	case releaseInner:
		s.releaseInner()
	default:
		return fmt.Errorf("database: control %d is not a savepoint's", to)
	}
	return nil
}

// save marks where a command begins.
func (s *schemaSession) save() error {
	if s.refused { // Nothing is left of the transaction. Another process's group may come in between.
		if err := s.begin(); err != nil {
			return err
		}
	}
	if s.lost() != intact {
		return s.gone()
	}
	switch {
	case s.first:
		s.first = false
		s.command = mark{state: bare}
	case s.command.state == clean: // It is there.
		s.command = mark{state: put, flushes: -1}
	default:
		s.command = s.put(controlText[save])
	}
	return nil
}

// undo goes back to where the command began.
func (s *schemaSession) undo() {
	l := s.link
	l.broken, l.late = nil, nil
	switch {
	case s.command.state == bare:
		l.queue = l.queue[:0]
		s.refused = true
	case s.waits(s.command): // Nothing was done.
		l.queue = l.queue[:s.command.index]
		s.command = mark{}
	case s.command.state == put:
		l.queue = l.queue[:0] // It is all the command's.
		s.enqueue(controlText[undo])
		s.command.state = clean
	}
	s.nested = s.nested[:0]
}

// release lets the next command go on from where this one ended.
func (s *schemaSession) release() {
	switch {
	case s.command.state == clean: // The next one can use the same savepoint.
		return
	case s.waits(s.command):
		s.link.queue = s.link.queue[:s.command.index]
	case s.command.state == put:
		s.enqueue(controlText[release])
	}
	s.command = mark{}
}

func (s *schemaSession) saveInner() error {
	if err := s.settle(); err != nil { // What was put off is not the savepoint's.
		return err
	}
	if len(s.nested) == maxDepth {
		return fmt.Errorf("database: savepoints nest at most %d deep", maxDepth)
	}
	s.nested = append(s.nested, s.put(nestedText[3*len(s.nested)]))
	return nil
}

func (s *schemaSession) undoInner() {
	l, depth := s.link, len(s.nested)-1
	l.broken = nil
	if here := &s.nested[depth]; s.waits(*here) {
		l.queue = l.queue[:here.index]
		here.state = absent
		return
	}
	l.queue = l.queue[:0] // It is all the savepoint's.
	s.enqueue(nestedText[3*depth+1])
}

func (s *schemaSession) releaseInner() {
	depth := len(s.nested) - 1
	if s.nested[depth].state == put {
		s.enqueue(nestedText[3*depth+2])
	}
	s.nested = s.nested[:depth]
}

// put puts a savepoint into the queue.
func (s *schemaSession) put(text string) mark {
	m := mark{state: put, index: len(s.link.queue), flushes: s.link.flushes}
	s.enqueue(text)
	return m
}

// waits tells whether a savepoint is still in the queue.
func (s *schemaSession) waits(m mark) bool { return m.state == put && m.flushes == s.link.flushes }

// enqueue puts a statement into the queue that was prepared when the connection was made.
func (s *schemaSession) enqueue(text string) {
	s.link.queue = append(s.link.queue, queued{statement: s.link.statements[text], role: steering})
}
