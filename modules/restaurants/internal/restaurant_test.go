package internal

import (
	"slices"
	"testing"
	"time"

	"kerf/platform/fault"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func TestOnlyTheTransitionsOfTheTableHappen(t *testing.T) {
	allowed := map[State]map[Trigger]State{
		Draft:  {OnOpen: Open},
		Open:   {OnPause: Paused, OnClose: Closed},
		Paused: {OnOpen: Open, OnResume: Open, OnPause: Paused, OnClose: Closed},
		Closed: {OnOpen: Open},
	}
	for _, state := range []State{Draft, Open, Paused, Closed} {
		for _, on := range []Trigger{OnOpen, OnPause, OnResume, OnClose} {
			r := &Restaurant{State: state, MenuVersion: 1}
			want, ok := allowed[state][on]
			if r.May(on, noon) != ok {
				t.Errorf("%s may %s = %v", state, on, !ok)
			}
			refusal := map[State]string{Draft: "restaurant_draft", Open: "restaurant_open", Paused: "restaurant_paused", Closed: "restaurant_closed"}[state]
			err := r.Change(on, nil, noon)
			switch {
			case ok && (err != nil || r.State != want):
				t.Errorf("%s, %s: %s, %v; want %s", state, on, r.State, err, want)
			case !ok && (code(err) != refusal || r.State != state):
				t.Errorf("%s, %s: %s, %v; want it refused", state, on, r.State, err)
			}
			row := slices.ContainsFunc(Transitions[:], func(tr Transition) bool { return tr.From == state && tr.On == on && tr.To == want })
			if row != ok {
				t.Errorf("the table says %v of %s, %s", row, state, on)
			}
		}
	}
}

func TestEachTransitionPublishesTheEventOfItsRow(t *testing.T) {
	for _, row := range Transitions {
		if row.On == OnElapse {
			continue // time publishes nothing
		}
		r := &Restaurant{ID: "r", State: row.From, MenuVersion: 1}
		event, err := (&StateChange{On: row.On}).apply(r, noon)
		if err != nil {
			t.Fatal(err)
		}
		if name := string(event.ProtoReflect().Descriptor().Name()); name != row.Event {
			t.Errorf("%s, %s publishes %s, not %s", row.From, row.On, name, row.Event)
		}
	}
}

func TestNobodyOpensWithoutAMenu(t *testing.T) {
	r := &Restaurant{State: Draft}
	if err := r.Change(OnOpen, nil, noon); code(err) != "no_menu" || r.State != Draft {
		t.Errorf("%s, %v", r.State, err)
	}
	if r.May(OnOpen, noon) {
		t.Error("it may open")
	}
}

func TestAPauseEndsByItself(t *testing.T) {
	r := &Restaurant{State: Open, MenuVersion: 1, OpeningHours: Hours{Always: true}}
	until := noon.Add(time.Hour)
	if err := r.Change(OnPause, &until, noon); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		at    time.Time
		state State
	}{{noon, Paused}, {until.Add(-time.Microsecond), Paused}, {until, Open}, {until.Add(time.Hour), Open}} {
		if s := r.StateAt(c.at); s != c.state {
			t.Errorf("%s at %s, want %s", s, c.at, c.state)
		}
		if open := r.OpenAt(c.at, time.UTC); open != (c.state == Open) {
			t.Errorf("open = %v at %s", open, c.at)
		}
	}
	if err := r.Change(OnResume, nil, until); code(err) != "restaurant_open" {
		t.Errorf("resumed after the pause had ended: %v", err)
	}
	if err := r.Change(OnClose, nil, until); err != nil || r.PausedUntil != 0 {
		t.Errorf("closed after the pause: %v, paused until %d", err, r.PausedUntil)
	}
}

func TestAPauseWithoutAnEndLasts(t *testing.T) {
	r := &Restaurant{State: Open, MenuVersion: 1}
	if err := r.Change(OnPause, nil, noon); err != nil {
		t.Fatal(err)
	}
	if s := r.StateAt(noon.AddDate(10, 0, 0)); s != Paused {
		t.Errorf("after ten years it is %s", s)
	}
}

func TestAPauseDoesNotEndBeforeItBegins(t *testing.T) {
	r := &Restaurant{State: Open, MenuVersion: 1}
	if err := r.Change(OnPause, &noon, noon); fault.KindOf(err) != fault.KindInvalid || r.State != Open {
		t.Errorf("%s, %v", r.State, err)
	}
}

func TestAnItemIsOutUntilItComesBack(t *testing.T) {
	back := noon.Add(time.Hour)
	r := &Restaurant{State: Open, Unavailable: Unavailable{"soup": 0, "cake": back.UnixMicro()}}
	for _, c := range []struct {
		item      string
		at        time.Time
		available bool
	}{{"tea", noon, true}, {"soup", noon.AddDate(1, 0, 0), false}, {"cake", back.Add(-1000), false}, {"cake", back, true}} {
		if got := r.Available(c.item, c.at); got != c.available {
			t.Errorf("%s at %s: %v", c.item, c.at, got)
		}
	}
	if r.lapses(noon) || !r.lapses(back) {
		t.Error("what is shown changes when the cake comes back, and not before")
	}
}

func code(err error) string {
	if err == nil {
		return ""
	}
	return fault.As(err).Code
}

func fields(err error) []string {
	var names []string
	if f := fault.As(err); f != nil {
		for _, v := range f.Violations {
			names = append(names, v.Field)
		}
	}
	return names
}
