package internal

import (
	"strings"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/fault"
	"kerf/platform/geo"
	"kerf/platform/money"
)

// What a restaurant has that did not say otherwise.
const (
	defaultRadius             = 5_000 // metres
	defaultPreparationMinutes = 20
)

// command is a change of one restaurant that its owner asks for, as it stands in the request's body. It changes r, which is at its
// state of now, and returns the event that tells of it, or nil if nothing has changed; on an error r is thrown away.
type command interface {
	apply(r *Restaurant, now time.Time) (event proto.Message, err error)
}

// Creation is the command Create: a DRAFT that still needs a menu. What is left out is open round the clock, delivers 5 km, cooks
// for 20 minutes, and costs nothing beside its menu.
type Creation struct {
	Name                 string        `json:"name"`
	Cuisine              string        `json:"cuisine"`
	Position             *geo.Position `json:"position"`
	TimeZone             string        `json:"time_zone"`
	Currency             string        `json:"currency"`
	OpeningHours         *Hours        `json:"opening_hours"`
	DeliveryRadiusMetres *int64        `json:"delivery_radius_metres"`
	FeeSettings
	TaxBasisPoints     *int64 `json:"tax_basis_points"`
	PreparationMinutes *int64 `json:"preparation_minutes"`
}

// create makes the restaurant, without id. Invalid, naming each field.
func (c *Creation) create(owner string, now time.Time) (*Restaurant, error) {
	r := &Restaurant{
		Version: 1, Owner: owner, State: Draft, Name: c.Name, Cuisine: c.Cuisine, TimeZone: c.TimeZone, Currency: c.Currency,
		OpeningHours: Hours{Always: true}, RadiusMetres: defaultRadius, PreparationMinutes: defaultPreparationMinutes,
		Unavailable: Unavailable{}, CreatedAt: now.UnixMicro(),
	}
	var v violations
	v.Text(c.Name, "name", 1, maxName)
	v.Text(c.Cuisine, "cuisine", 1, maxCuisine)
	c.Position.Check(&v.Checks, "position")
	v.That(validZone(c.TimeZone), "time_zone", "must be an IANA time zone such as Europe/Vienna")
	v.That(money.KnownCurrency(c.Currency), "currency", "must be an ISO 4217 code such as EUR")
	v.setHours(c.OpeningHours, "opening_hours", &r.OpeningHours)
	v.setNumber(c.DeliveryRadiusMetres, "delivery_radius_metres", 1, maxRadius, &r.RadiusMetres)
	v.setFees(&c.FeeSettings, r)
	v.setNumber(c.TaxBasisPoints, "tax_basis_points", 0, money.MaxBasisPoints, &r.TaxBasisPoints)
	v.setNumber(c.PreparationMinutes, "preparation_minutes", 0, maxPreparationMinutes, &r.PreparationMinutes)
	if err := v.Err(); err != nil {
		return nil, err
	}
	r.Position = *c.Position
	r.describe()
	return r, nil
}

// validZone tells whether a name is one that time.LoadLocation finds and that means the same everywhere.
func validZone(name string) bool {
	if name == "" || name == "Local" || len(name) > maxZone {
		return false
	}
	_, err := time.LoadLocation(name)
	return err == nil
}

// describe keeps the text that is searched in step with what it is made of.
func (r *Restaurant) describe() { r.SearchText = strings.ToLower(r.Name + " " + r.Cuisine) }

// Details is the command UpdateDetails; what is left out stays.
type Details struct {
	Name     *string       `json:"name"`
	Cuisine  *string       `json:"cuisine"`
	Position *geo.Position `json:"position"`
}

func (d *Details) apply(r *Restaurant, _ time.Time) (proto.Message, error) {
	var v violations
	was := *r
	if d.Name != nil {
		v.Text(*d.Name, "name", 1, maxName)
		r.Name = *d.Name
	}
	if d.Cuisine != nil {
		v.Text(*d.Cuisine, "cuisine", 1, maxCuisine)
		r.Cuisine = *d.Cuisine
	}
	if d.Position != nil {
		d.Position.Check(&v.Checks, "position")
		r.Position = *d.Position
	}
	if r.Name == was.Name && r.Cuisine == was.Cuisine && r.Position == was.Position {
		return nil, v.Err()
	}
	r.describe()
	return r.updated(), v.Err()
}

// SetOpeningHours is the command of this name; its body is the hours themselves.
type SetOpeningHours struct{ Hours }

func (s *SetOpeningHours) apply(r *Restaurant, _ time.Time) (proto.Message, error) {
	var v violations
	v.setHours(&s.Hours, "", &r.OpeningHours)
	return &restaurantsapi.HoursChanged{RestaurantId: r.ID}, v.Err()
}

// SetDeliveryZone is the command of this name: a circle around the restaurant.
type SetDeliveryZone struct {
	RadiusMetres *int64 `json:"radius_metres"`
}

func (s *SetDeliveryZone) apply(r *Restaurant, _ time.Time) (proto.Message, error) {
	var v violations
	v.needNumber(s.RadiusMetres, "radius_metres", 1, maxRadius, &r.RadiusMetres)
	return r.updated(), v.Err()
}

// FeeSettings is the command SetFeesAndMinimum, all amounts in the restaurant's currency; what is left out costs nothing.
type FeeSettings struct {
	Minimum               *money.Money `json:"minimum"`
	DeliveryFee           *money.Money `json:"delivery_fee"`
	ServiceFeeBasisPoints *int64       `json:"service_fee_basis_points"`
	SmallOrderFee         *money.Money `json:"small_order_fee"`
	SmallOrderBelow       *money.Money `json:"small_order_below"`
	CancellationFee       *money.Money `json:"cancellation_fee"`
}

func (s *FeeSettings) apply(r *Restaurant, _ time.Time) (proto.Message, error) {
	var v violations
	v.setFees(s, r)
	return r.updated(), v.Err()
}

// SetTaxRate is the command of this name.
type SetTaxRate struct {
	BasisPoints *int64 `json:"basis_points"`
}

func (s *SetTaxRate) apply(r *Restaurant, _ time.Time) (proto.Message, error) {
	var v violations
	v.needNumber(s.BasisPoints, "basis_points", 0, money.MaxBasisPoints, &r.TaxBasisPoints)
	return r.updated(), v.Err()
}

// SetPreparationTime is the command of this name: how long the kitchen usually needs.
type SetPreparationTime struct {
	Minutes *int64 `json:"minutes"`
}

func (s *SetPreparationTime) apply(r *Restaurant, _ time.Time) (proto.Message, error) {
	var v violations
	v.needNumber(s.Minutes, "minutes", 0, maxPreparationMinutes, &r.PreparationMinutes)
	return r.updated(), v.Err()
}

// SetItemAvailability is the command of this name: an item is out, until an instant or until it is set so, or it is back.
type SetItemAvailability struct {
	ItemID    string     `json:"-"`
	Available *bool      `json:"available"`
	Until     *time.Time `json:"until"`
}

func (s *SetItemAvailability) apply(r *Restaurant, now time.Time) (proto.Message, error) {
	var v violations
	v.That(s.Available != nil, "available", "is missing")
	v.That(s.Until == nil || s.Until.After(now), "until", "must be later than now")
	v.That(s.Until == nil || s.Available == nil || !*s.Available, "until", "is for an item that is not available")
	if err := v.Err(); err != nil {
		return nil, err
	}
	event := &restaurantsapi.ItemAvailabilityChanged{RestaurantId: r.ID, ItemId: s.ItemID, Available: *s.Available}
	switch {
	case *s.Available:
		delete(r.Unavailable, s.ItemID)
	case s.Until == nil:
		r.Unavailable[s.ItemID] = 0
	default:
		r.Unavailable[s.ItemID] = s.Until.UnixMicro()
		event.Until = timestamppb.New(time.UnixMicro(s.Until.UnixMicro()))
	}
	return event, nil
}

// StateChange is the commands Open, Pause, Resume and Close.
type StateChange struct {
	On Trigger `json:"-"`
	// Until is for a pause only.
	Until *time.Time `json:"until"`
}

func (s *StateChange) apply(r *Restaurant, now time.Time) (proto.Message, error) {
	if s.Until != nil && s.On != OnPause {
		return nil, fault.Invalid(fault.Violation{Field: "until", Description: "is for a pause only"})
	}
	if err := r.Change(s.On, s.Until, now); err != nil {
		return nil, err
	}
	switch r.State {
	case Open:
		return &restaurantsapi.RestaurantOpened{RestaurantId: r.ID}, nil
	case Paused:
		event := &restaurantsapi.RestaurantPaused{RestaurantId: r.ID}
		if r.PausedUntil != 0 {
			event.Until = timestamppb.New(time.UnixMicro(r.PausedUntil))
		}
		return event, nil
	default:
		return &restaurantsapi.RestaurantClosed{RestaurantId: r.ID}, nil
	}
}

func (r *Restaurant) updated() proto.Message {
	return &restaurantsapi.RestaurantUpdated{RestaurantId: r.ID, Position: r.Position.ToProto()}
}

// violations are checks, and those that only restaurants have.
type violations struct{ fault.Checks }

func (v *violations) setHours(hours *Hours, path string, into *Hours) {
	if hours == nil {
		return
	}
	found := hours.violations(path)
	v.Checks = append(v.Checks, found...)
	if len(found) == 0 {
		*into = hours.sorted()
	}
}

func (v *violations) setFees(s *FeeSettings, r *Restaurant) {
	fees := Fees{}
	for _, a := range []struct {
		given *money.Money
		field string
		into  *int64
	}{
		{s.Minimum, "minimum", &fees.Minimum},
		{s.DeliveryFee, "delivery_fee", &fees.DeliveryFee},
		{s.SmallOrderFee, "small_order_fee", &fees.SmallOrderFee},
		{s.SmallOrderBelow, "small_order_below", &fees.SmallOrderBelow},
		{s.CancellationFee, "cancellation_fee", &fees.CancellationFee},
	} {
		if a.given != nil {
			v.checkPrice(*a.given, a.field, r.Currency, 0)
			*a.into = a.given.Amount
		}
	}
	v.setNumber(s.ServiceFeeBasisPoints, "service_fee_basis_points", 0, money.MaxBasisPoints, &fees.ServiceFeeBasisPoints)
	r.Fees = fees
}

// setNumber takes a number over if it is given.
func (v *violations) setNumber(given *int64, field string, least, most int64, into *int64) {
	if given != nil {
		v.That(*given >= least && *given <= most, field, "must be %d to %d", least, most)
		*into = *given
	}
}

func (v *violations) needNumber(given *int64, field string, least, most int64, into *int64) {
	v.That(given != nil, field, "is missing")
	v.setNumber(given, field, least, most, into)
}
