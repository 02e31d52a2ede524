package internal

import (
	"strings"
	"testing"
	"time"

	"kerf/platform/fault"
)

// The machine written a second time, so that a slip in one of them shows. Columns are triggers in the order of Triggers:
//
//	A ticket accepted   P preparation started  R ticket ready    x ticket rejected  e ticket expired  k ticket cancelled
//	U picked up         D dropped off          F failed          n delivery cancelled
//	C cancel asked      + approval given       - refused         b cancel begun     t turned back     c cancel done
//	d delivery settled  f failure settled
//
// Cells: r remember, > advance to the furthest fact, . ignore, ! refuse, a letter in capitals or digit the state that is moved to, _ impossible.
const matrix = `
                 A P R x e k U D F n C + - b t c d f
PENDING          r r r r r r r r r r r > J _ _ _ _ _
APPROVED         > > > r r r > > > r r _ _ B _ _ _ _
ACCEPTED         > > > r r r > > > r r _ _ B _ _ _ _
PREPARING        > > > r r r > > > r r _ _ B _ _ _ _
READY            > > > r r r > > > r r _ _ B _ _ _ _
PICKED_UP        . . . . . . . r r . ! _ _ _ _ _ D U
DELIVERED        . . . . . . . . . . ! _ _ _ _ _ _ _
CANCEL_PENDING   r r r r r r r r r r . _ _ _ > X _ _
REJECTED         . . . . . . . . . . ! _ _ _ _ _ _ _
UNDELIVERABLE    . . . . . . . . . . ! _ _ _ _ _ _ _
CANCELLED        . . . . . . . . . . ! _ _ _ _ _ _ _
`

var movedTo = map[string]State{"J": Rejected, "B": CancelPending, "D": Delivered, "U": Undeliverable, "X": Cancelled}

// cells reads the matrix.
func cells(t *testing.T) map[edge]string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(matrix), "\n")
	if len(lines) != len(States)+1 {
		t.Fatalf("the matrix has %d states, the machine %d", len(lines)-1, len(States))
	}
	all := map[edge]string{}
	for _, line := range lines[1:] {
		fields := strings.Fields(line)
		if len(fields) != len(Triggers)+1 {
			t.Fatalf("%s has %d triggers, the machine %d", fields[0], len(fields)-1, len(Triggers))
		}
		for i, cell := range fields[1:] {
			all[edge{State(fields[0]), Triggers[i]}] = cell
		}
	}
	return all
}

func TestTheTableIsTheMachineOfTheDomain(t *testing.T) {
	for at, cell := range cells(t) {
		row, ok := at.from.on(at.on)
		if ok == (cell == "_") {
			t.Errorf("%s on %s: listed %v, want %q", at.from, at.on, ok, cell)
			continue
		}
		var want Transition
		switch cell {
		case "_":
			continue
		case "r":
			want = Transition{at.from, at.on, at.from, Remember}
		case ">":
			want = Transition{at.from, at.on, Furthest, Advance}
			if at.on == ApprovalGiven || at.on == CancelTurned {
				want.Effect = Publish
			}
		case ".":
			want = Transition{at.from, at.on, at.from, Ignore}
		case "!":
			want = Transition{at.from, at.on, at.from, Refuse}
		default:
			want = Transition{at.from, at.on, movedTo[cell], Publish}
		}
		if row != want {
			t.Errorf("%s on %s: %+v, want %+v", at.from, at.on, row, want)
		}
	}
}

var noon = time.Date(2026, 5, 1, 12, 0, 0, 0, time.UTC)

// inState is an order that shows a state and has heard of no more than that takes.
func inState(s State) *Order {
	o := &Order{ID: "order", Terms: Terms{Price: Price{Currency: "EUR", Total: 2000, CancellationFee: 300}}, State: s, Furthest: Approved}
	switch s {
	case Accepted, Preparing, Ready, PickedUp, Delivered:
		o.Furthest = s
	case Undeliverable:
		o.Furthest = PickedUp
	case CancelPending:
		o.CancelBy = ByConsumer
		o.Saga = &Saga{ID: "saga", Kind: CancelSaga, Step: BeginTicketCancel}
	case Pending:
		o.Saga = &Saga{ID: "saga", Kind: PlaceSaga, Step: CreateTicket}
	}
	return o
}

// fire brings a trigger about in the way in which it happens.
func fire(o *Order, on Trigger) error {
	captured := o.Price.Total
	switch on {
	case CancelAsked:
		return o.AskCancel(ByConsumer, "", noon)
	case ApprovalGiven:
		o.approve(noon)
	case ApprovalRefused:
		o.end(on, "card_declined", 0, noon)
	case CancelBegun:
		o.begin(CancelSaga, BeginTicketCancel, "saga", noon)
	case CancelTurned:
		if o.Saga == nil {
			o.Saga = &Saga{Kind: CancelSaga}
		}
		o.turnBack("ticket_picked_up", noon)
	case CancelDone:
		o.end(on, "cancelled_by_consumer", 0, noon)
	case DeliverySettled, FailureSettled:
		o.end(on, "", captured, noon)
	default:
		o.Hear(Fact{On: on}, noon)
	}
	return nil
}

func TestAnOrderMovesExactlyAsTheTableSays(t *testing.T) {
	for _, from := range States {
		for _, on := range Triggers {
			row, listed := from.on(on)
			o := inState(from)
			err := fire(o, on)
			want := from
			if listed {
				want = row.To
			}
			if want == Furthest {
				want = o.Furthest
				if want == Delivered {
					want = PickedUp // until the money is taken
				}
			}
			if o.State != want {
				t.Errorf("%s on %s shows %s, want %s", from, on, o.State, want)
			}
			if refused := listed && row.Effect == Refuse; (fault.KindOf(err) == fault.KindRefused) != refused {
				t.Errorf("%s on %s: %v, want refused %v", from, on, err, refused)
			}
			if listed && (row.Effect == Ignore || row.Effect == Refuse) && o.changes.order {
				t.Errorf("%s on %s changed the order", from, on)
			}
			if from.Terminal() && o.State != from {
				t.Errorf("%s is terminal, and %s moved it to %s", from, on, o.State)
			}
			if o.State.rank() >= 0 && o.State.rank() < from.rank() {
				t.Errorf("%s on %s moved back to %s", from, on, o.State)
			}
		}
	}
}

func TestFactsOutOfOrderShowTheFurthest(t *testing.T) {
	o := inState(Approved)
	for _, row := range []struct {
		on   Trigger
		news bool
		want State
	}{
		{TicketReady, true, Ready},
		{PreparationStarted, false, Ready},
		{OrderDroppedOff, true, PickedUp}, // DELIVERED when the money is taken
		{OrderPickedUp, false, PickedUp},
		{DeliveryFailed, false, PickedUp},
		{TicketRejected, false, PickedUp},
	} {
		if news := o.Hear(Fact{On: row.on}, noon); news != row.news || o.State != row.want {
			t.Errorf("%s: news %v, shows %s; want %v, %s", row.on, news, o.State, row.news, row.want)
		}
	}
}

func TestALateAcceptanceStillTellsWhenTheFoodIsReady(t *testing.T) {
	o := inState(Approved)
	o.Hear(Fact{On: PreparationStarted}, noon)
	readyBy := noon.Add(20 * time.Minute)
	if !o.Hear(Fact{On: TicketAccepted, ReadyBy: readyBy}, noon) || !o.ReadyBy.Equal(readyBy) || o.State != Preparing {
		t.Errorf("ready by %v in %s", o.ReadyBy, o.State)
	}
}

func TestEverySagasStepsLeadToAnEndByAnswersAndByRefusals(t *testing.T) {
	for kind, steps := range sagas {
		for first := range steps {
			for _, next := range []func(path) Step{
				func(p path) Step { return p.answered },
				func(p path) Step { return p.refused },
				func(p path) Step {
					if p.late != "" {
						return p.late
					}
					return p.answered
				},
				func(p path) Step {
					if p.skip != nil {
						return p.skipped
					}
					return p.answered
				},
			} {
				at := first
				for range len(steps) + 1 {
					p, ok := steps[at]
					if !ok {
						break
					}
					at = next(p)
				}
				if _, open := steps[at]; open || at == "" {
					t.Errorf("%s from %s does not end: %q", kind, first, at)
				}
			}
		}
	}
}
