package internal

import (
	"testing"
	"time"

	"kerf/platform/fault"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// aTicket is a ticket that stands in a state, as its life would have left it there.
func aTicket(state State) *Ticket {
	t := &Ticket{
		OrderID: "o", RestaurantID: "r", ConsumerID: "c", Version: 7, State: state, Preparation: 15 * time.Minute,
		Lines: []Line{{ItemID: "soup", Name: "Soup", Quantity: 1}}, CreatedAt: noon, UpdatedAt: noon,
	}
	if state != Created {
		t.AcceptBy = noon.Add(AcceptanceTime)
	}
	switch state {
	case Accepted, Preparing, Ready, PickedUp:
		t.Promised, t.ReadyBy = true, noon.Add(15*time.Minute)
		t.HandedOver = state == PickedUp
	case CancelPending:
		t.Promised, t.StateBefore, t.CancelID = true, Preparing, "cancel"
	case Cancelled:
		t.CancelID = "cancel"
	}
	return t
}

// pull runs a trigger's method with arguments that suit it.
func pull(t *Ticket, trigger Trigger, now time.Time) (Effect, error) {
	switch trigger {
	case Confirm:
		return t.Confirm(now)
	case CancelCreation:
		return t.CancelCreation("gone", now)
	case BeginCancel:
		return t.BeginCancel("cancel 2", now)
	case ConfirmCancel:
		return t.ConfirmCancel("cancel", "asked", now)
	case UndoCancel:
		return t.UndoCancel("cancel", now)
	case Accept:
		return t.Accept(time.Time{}, now)
	case Reject:
		return t.Reject("busy", nil, now)
	case StartPreparation:
		return t.StartPreparing(0, 0, now)
	case MarkReady:
		return t.MarkReady(now)
	case Delay:
		return t.Delay(t.ReadyBy.Add(time.Hour), now)
	case HandOver:
		return t.HandOver(now)
	case Expire:
		return t.Expire(now)
	case CourierPickedUp:
		return t.CourierPickedUp(now)
	}
	panic("no such trigger")
}

func TestEveryTriggerInEveryStateDoesWhatTheTableSays(t *testing.T) {
	now := noon.Add(time.Minute)
	for _, state := range states {
		for _, trigger := range triggers {
			t.Run(string(state)+"/"+string(trigger), func(t *testing.T) {
				ticket := aTicket(state)
				effect, err := pull(ticket, trigger, now)

				row, allowed := machine[occasion{state, trigger}]
				if !allowed {
					wantFault(t, err, fault.As(refusal(state, trigger)).Code)
					return
				}
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				next, version := row.to, int64(8)
				if next == Before {
					next = Preparing
				}
				if row.effect == Nothing {
					version = 7
				}
				if ticket.State != next || effect != row.effect || ticket.Version != version {
					t.Errorf("got %s, %q, version %d; want %s, %q, version %d",
						ticket.State, effect, ticket.Version, next, row.effect, version)
				}
			})
		}
	}
}

func TestTheTableHasOneRowForEachOccasionAndNoWayOutOfTheEnd(t *testing.T) {
	if len(machine) != len(transitions) {
		t.Errorf("%d rows for %d occasions", len(transitions), len(machine))
	}
	for _, row := range transitions {
		if row.from.ended() && (row.to != row.from || row.effect != Nothing) {
			t.Errorf("%s leaves %s by %s", row.to, row.from, row.trigger)
		}
		if row.effect == Nothing && row.to != row.from {
			t.Errorf("%s changes by %s without an effect", row.from, row.trigger)
		}
	}
}

func TestStatesMoveOnlyForward(t *testing.T) {
	rank := map[State]int{}
	for i, s := range states {
		rank[s] = i
	}
	for _, row := range transitions {
		if row.to != Before && rank[row.to] < rank[row.from] {
			t.Errorf("%s goes back to %s by %s", row.from, row.to, row.trigger)
		}
	}
}

func TestAnEffectPublishesTheEventItNames(t *testing.T) {
	for _, row := range transitions {
		event := factOf(aTicket(row.from), row.effect)
		published := event != nil && string(event.ProtoReflect().Descriptor().Name()) == string(row.effect)
		if isEvent := row.effect[:min(len(row.effect), 6)] == "Ticket" || row.effect == PublishPreparing; isEvent != published {
			t.Errorf("the effect %q publishes %v", row.effect, event)
		}
	}
}

func TestAnUndoneCancelGivesBackEachState(t *testing.T) {
	for _, state := range []State{Created, AwaitingAcceptance, Accepted, Preparing, Ready} {
		ticket := aTicket(state)
		must(t, second(ticket.BeginCancel("x", noon)))
		must(t, second(ticket.UndoCancel("another", noon)))
		if ticket.State != CancelPending {
			t.Errorf("another cancel's undo took the cancel of a ticket %s back", state)
		}
		must(t, second(ticket.UndoCancel("x", noon)))
		if ticket.State != state || ticket.CancelID != "" {
			t.Errorf("was %s, is %s after the undo", state, ticket.State)
		}
	}
}

func TestACancelHoldsTheTicketAgainstEverybodyElse(t *testing.T) {
	ticket := aTicket(Preparing)
	must(t, second(ticket.BeginCancel("x", noon)))
	must(t, second(ticket.BeginCancel("x", noon)))
	_, err := ticket.BeginCancel("y", noon)
	wantFault(t, err, "cancel_pending")
	_, err = ticket.ConfirmCancel("y", "", noon)
	wantFault(t, err, "cancel_not_begun")
	_, err = ticket.MarkReady(noon)
	wantFault(t, err, "cancel_pending")
}

func TestAPickUpDuringACancelIsWhatItsUndoLeadsTo(t *testing.T) {
	ticket := aTicket(Ready)
	must(t, second(ticket.BeginCancel("x", noon)))
	for range 2 {
		must(t, second(ticket.CourierPickedUp(noon)))
	}
	if ticket.State != CancelPending || ticket.Version != 9 {
		t.Fatalf("is %s, version %d", ticket.State, ticket.Version)
	}
	must(t, second(ticket.UndoCancel("x", noon)))
	if ticket.State != PickedUp {
		t.Errorf("is %s", ticket.State)
	}
}

func TestTheRestaurantsHandOverAfterTheCouriersWordIsNotedOnce(t *testing.T) {
	ticket := aTicket(Ready)
	must(t, second(ticket.CourierPickedUp(noon)))
	effect, err := ticket.HandOver(noon)
	if err != nil || effect != Nothing || ticket.State != PickedUp {
		t.Fatalf("%q, %v, %s", effect, err, ticket.State)
	}
	_, err = ticket.HandOver(noon)
	wantFault(t, err, "ticket_picked_up")
}

func TestPromises(t *testing.T) {
	tests := []struct {
		name    string
		do      func(t *Ticket) (Effect, error)
		state   State
		readyBy time.Time
		code    string
	}{
		{"the usual time by default", func(t *Ticket) (Effect, error) { return t.Accept(time.Time{}, noon) }, AwaitingAcceptance, noon.Add(15 * time.Minute), ""},
		{"a time of the restaurant's own", func(t *Ticket) (Effect, error) { return t.Accept(noon.Add(time.Hour), noon) }, AwaitingAcceptance, noon.Add(time.Hour), ""},
		{"not in the past", func(t *Ticket) (Effect, error) { return t.Accept(noon.Add(-time.Second), noon) }, AwaitingAcceptance, time.Time{}, "invalid"},
		{"not in days", func(t *Ticket) (Effect, error) { return t.Accept(noon.Add(25*time.Hour), noon) }, AwaitingAcceptance, time.Time{}, "invalid"},
		{"later", func(t *Ticket) (Effect, error) { return t.Delay(noon.Add(20*time.Minute), noon) }, Preparing, noon.Add(20 * time.Minute), ""},
		{"a delay is not earlier", func(t *Ticket) (Effect, error) { return t.Delay(noon.Add(15*time.Minute), noon) }, Accepted, time.Time{}, "not_later"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			ticket := aTicket(tt.state)
			_, err := tt.do(ticket)
			if tt.code != "" {
				wantFault(t, err, tt.code)
				return
			}
			if err != nil || !ticket.ReadyBy.Equal(tt.readyBy) {
				t.Errorf("ready by %s, %v", ticket.ReadyBy, err)
			}
		})
	}
}

func TestAKitchenTakesAsManyTicketsAsItSays(t *testing.T) {
	for _, tt := range []struct {
		inPreparation, capacity int64
		code                    string
	}{{5, 0, ""}, {1, 2, ""}, {2, 2, "kitchen_full"}, {3, 2, "kitchen_full"}} {
		_, err := aTicket(Accepted).StartPreparing(tt.inPreparation, tt.capacity, noon)
		wantFault(t, err, tt.code)
	}
}

func TestARejectionNamesItemsOfTheTicket(t *testing.T) {
	_, err := aTicket(AwaitingAcceptance).Reject("out of it", []string{"soup", "steak"}, noon)
	f := fault.As(err)
	if f == nil || len(f.Violations) != 1 || f.Violations[0].Field != "missing_item_ids[1]" {
		t.Errorf("got %v", err)
	}
}

func second(_ Effect, err error) error { return err }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantFault checks an error's code; "" wants none.
func wantFault(t *testing.T, err error, code string) {
	t.Helper()
	if got := fault.As(err); code == "" && err != nil || code != "" && (got == nil || got.Code != code) {
		t.Errorf("got %v, want the code %q", err, code)
	}
}
