package internal

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"kerf/platform/database"
)

// While a rebuild makes a generation of views, events go on coming, and they must be in it when it is served. So an event that changes the
// view that is served changes the one in the making too, if that has all that came before it; if not, the event's module has it in its
// log, and the rebuild comes to it there.

// followWith has the view in the making follow the one that is served, which has just taken f up and had heard of its source as far
// as before.
func (s *stand) followWith(tx *database.Tx, f Fact, before int64) error {
	m := &s.making
	switch {
	case m.generation == 0:
		return nil
	case m.stored:
		if !s.upToDate(f, before) || !Fold(m.view, f) {
			return nil
		}
	case s.merging && !s.shown.stored: // the merge may have passed its place already
		m.view = proto.CloneOf(s.shown.view)
	default: // the rebuild comes to it, in a log or among the views that are served
		return nil
	}
	_, err := m.write(tx)
	return err
}

// upToDate tells whether the view in the making has all that f's source told before f. Types of events that say nothing here leave gaps.
func (s *stand) upToDate(f Fact, before int64) bool {
	has := sequenceOf(s.making.view, f.Source)
	return f.Sequence == has+1 || has > 0 && has == before || s.merging && has >= before
}

// merge takes into the view in the making what the logs do not hold any more, or do not show yet, and numbers it so that streams go on from
// where they are. It reports false if one of the two has heard something in the middle of a section that the other has not yet: the log
// will show it, or the listener come to it, in a moment. Where force says that this was waited for in vain, the more is taken.
func (s *stand) merge(force bool) (outcome merged, ok bool) {
	shown, m := s.shown.view, s.making.view
	for _, source := range sources {
		has, served := sequenceOf(m, source), sequenceOf(shown, source)
		switch {
		case has == served || has > served && force:
			continue
		case has > 0 && !force:
			return merged{}, false
		}
		Adopt(m, shown, source)
		outcome.kept++
	}
	m.Sequence = shown.GetSequence()
	if !proto.Equal(m, shown) {
		m.Sequence = max(heard(m), shown.GetSequence()+1)
		outcome.changed = true
	}
	return outcome, true
}

// merged is what came of a merge.
type merged struct {
	kept    int64 // sections taken from the view that is served
	changed bool  // the view is another than the one that is served
}

const (
	selectShowing = `SELECT generation, making, merging, looked FROM showing WHERE one = 1`
	beginMaking   = `UPDATE showing SET making = generation + 1, merging = 0, looked = 1 WHERE one = 1`
	beginMerging  = `UPDATE showing SET merging = 1 WHERE one = 1`
	swap          = `UPDATE showing SET generation = making, making = 0, merging = 0 WHERE one = 1 AND making <> 0`
	noteLooked    = `UPDATE showing SET looked = 1 WHERE one = 1`
)

// showing is which generation is served, and which is in the making.
type showing struct {
	generation int64
	making     int64 // 0: none
	merging    bool
	looked     bool
}

func readShowing(row database.Row) (showing, error) {
	var s showing
	if err := row.Scan(&s.generation, &s.making, &s.merging, &s.looked); err != nil {
		return s, fmt.Errorf("read what is served: %w", err)
	}
	return s, nil
}
