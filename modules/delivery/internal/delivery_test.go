package internal

import (
	"testing"
	"time"

	"kerf/platform/fault"
	"kerf/platform/geo"
)

var noon = time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)

// counter and door are 3.2 km, ten minutes, apart.
var (
	counter = geo.Position{Latitude: 48.2, Longitude: 16.37}
	door    = north(counter, 3200)
)

// north is a place so many metres north of another.
func north(of geo.Position, metres float64) geo.Position {
	return geo.Position{Latitude: of.Latitude + metres/111_195.08, Longitude: of.Longitude}
}

// aDelivery is a delivery that stands in a state, as its life would have left it there.
func aDelivery(state State) *Delivery {
	d := &Delivery{
		OrderID: "o", RestaurantID: "r", ConsumerID: "d", Version: 7, State: state, Pickup: counter, Dropoff: door,
		PickupCode: "1234", DeliveryPIN: "9876", ReadyBy: noon.Add(15 * time.Minute), CreatedAt: noon, UpdatedAt: noon,
	}
	if state.held() || state == Delivered || state == Returned {
		d.CourierID = "c"
	}
	if state == Offered {
		d.OfferExpiresAt = noon.Add(time.Minute)
	}
	return d
}

// pull runs a trigger's method with arguments that suit it.
func pull(d *Delivery, trigger Trigger, now time.Time) (Effect, error) {
	switch trigger {
	case Offer:
		return d.Offer("c", now.Add(5*time.Minute), now)
	case GiveUp:
		return d.GiveUp(now)
	case AcceptOffer:
		return d.AcceptOffer(now)
	case DeclineOffer:
		return d.DeclineOffer(now)
	case CourierOffline:
		return d.CourierOffline(now)
	case ArriveAtPickup:
		return d.ArriveAtPickup(now)
	case ConfirmPickup:
		return d.ConfirmPickup("1234", now)
	case ArriveAtDropoff:
		return d.ArriveAtDropoff(now)
	case ConfirmDelivery:
		return d.ConfirmDelivery("9876", now)
	case Fail:
		return d.Fail("damaged", now)
	case Return:
		return d.Return(now)
	case Reassign:
		return d.Reassign(now)
	case Cancel:
		return d.Cancel("asked", now)
	case OfferLapses:
		return d.OfferLapses(now)
	}
	panic("no such trigger")
}

func TestEveryTriggerInEveryStateDoesWhatTheTableSays(t *testing.T) {
	now := noon.Add(time.Minute)
	for _, state := range states {
		for _, trigger := range triggers {
			t.Run(string(state)+"/"+string(trigger), func(t *testing.T) {
				d := aDelivery(state)
				effect, err := pull(d, trigger, now)

				row, allowed := machine[occasion{state, trigger}]
				if !allowed {
					wantFault(t, err, fault.As(refusal(state, trigger)).Code)
					return
				}
				if err != nil {
					t.Fatalf("refused: %v", err)
				}
				if effect != row.effect || d.State != row.to {
					t.Errorf("became %s with %q, want %s with %q", d.State, effect, row.to, row.effect)
				}
				want := int64(7)
				if row.effect != Nothing {
					want = 8
				}
				if d.Version != want {
					t.Errorf("version %d, want %d", d.Version, want)
				}
				if got := d.CourierID != ""; got != (d.State.held() || d.State == Delivered || d.State == Returned) {
					t.Errorf("%s with courier %q", d.State, d.CourierID)
				}
			})
		}
	}
}

func TestTheTableHasNoRowTwiceAndNoWayOutOfAnEnd(t *testing.T) {
	if len(machine) != len(transitions) {
		t.Errorf("%d rows, %d of them different", len(transitions), len(machine))
	}
	for _, row := range transitions {
		ended := row.from == Delivered || row.from == Returned || row.from == Cancelled
		if ended && (row.to != row.from || row.effect != Nothing) {
			t.Errorf("%s is an end, and %s leads out of it", row.from, row.trigger)
		}
		if row.effect == Nothing && row.from != row.to {
			t.Errorf("%s/%s changes the state and does nothing", row.from, row.trigger)
		}
	}
}

func TestACouriersMachine(t *testing.T) {
	for _, state := range courierStates {
		for _, trigger := range courierTriggers {
			c := &Courier{ID: "c", Version: 3, State: state}
			if state == Busy {
				c.OrderID = "o"
			}
			var err error
			switch trigger {
			case GoOnline:
				err = c.GoOnline(counter, noon)
			case GoOffline:
				err = c.GoOffline(noon)
			case Take:
				err = c.Take("o", noon)
			case Free:
				err = c.Free(noon)
			}
			to, allowed := courierMachine[courierOccasion{state, trigger}]
			if !allowed {
				wantFault(t, err, fault.As(courierRefusal(state, trigger)).Code)
				continue
			}
			if err != nil || c.State != to || c.Version != 4 || (c.OrderID != "") != (to == Busy) {
				t.Errorf("%s/%s: %+v, %v; want %s", state, trigger, c, err, to)
			}
		}
	}
}

func TestAnOfferDoesNotLapseBeforeItsTime(t *testing.T) {
	d := aDelivery(Offered)
	if effect, err := d.OfferLapses(d.OfferExpiresAt.Add(-time.Microsecond)); effect != Nothing || err != nil || d.State != Offered {
		t.Errorf("lapsed early: %q, %v, %s", effect, err, d.State)
	}
	if effect, _ := d.OfferLapses(d.OfferExpiresAt); effect != PublishUnassigned || d.Reason != "timed_out" {
		t.Errorf("did not lapse: %q, %+v", effect, d)
	}
}

func TestAWrongCodeIsRefused(t *testing.T) {
	_, err := aDelivery(AtPickup).ConfirmPickup("9876", noon)
	wantFault(t, err, "wrong_code")
	_, err = aDelivery(AtDropoff).ConfirmDelivery("1234", noon)
	wantFault(t, err, "wrong_code")

	without := aDelivery(AtPickup)
	without.PickupCode = ""
	_, err = without.ConfirmPickup("", noon)
	wantFault(t, err, "wrong_code")
}

func TestAfterManyWrongCodesTheRightOneHasToWait(t *testing.T) {
	d := aDelivery(AtDropoff)
	d.WrongCodes, d.WrongCodeAt = maxWrongCodes, noon
	copied := *d
	_, err := copied.ConfirmDelivery("9876", noon.Add(wrongCodePause-time.Second))
	wantFault(t, err, "too_many_codes")
	if _, err := d.ConfirmDelivery("9876", noon.Add(wrongCodePause)); err != nil {
		t.Errorf("refused after the pause: %v", err)
	}
}

func TestTheKitchensWordCountsUntilTheFoodIsTaken(t *testing.T) {
	for _, state := range states {
		d := aDelivery(state)
		before := *d
		d.Ready(word{readyBy: noon.Add(time.Hour)}, noon)
		open := state == Unassigned || state == Offered || state == Assigned || state == AtPickup
		if changed := d.Version != before.Version; changed != open || changed != d.ReadyBy.Equal(noon.Add(time.Hour)) {
			t.Errorf("%s: version %d, ready by %v", state, d.Version, d.ReadyBy)
		}
	}
	d := aDelivery(Assigned)
	d.Ready(word{readyAt: noon.Add(2 * time.Minute)}, noon)
	d.Ready(word{readyAt: noon.Add(9 * time.Minute)}, noon) // the hand-over after it
	if d.Version != 8 || !d.foodAt().Equal(noon.Add(2*time.Minute)) {
		t.Errorf("the first word did not count: %+v", d)
	}
}

func wantFault(t *testing.T, err error, code string) {
	t.Helper()
	if f := fault.As(err); f == nil || f.Code != code {
		t.Errorf("got %v, want a fault %s", err, code)
	}
}
