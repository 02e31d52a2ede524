package internal

import (
	"net/http"
	"time"

	"kerf/platform/geo"
	"kerf/platform/identity"
	"kerf/platform/web"
)

// deliveryResource is a delivery in the public API. Where its courier is, is not part of it: that moves without a version, and is
// tracking's to show.
type deliveryResource struct {
	ID             string       `json:"id"`
	Version        int64        `json:"version"`
	OrderID        string       `json:"order_id"`
	State          State        `json:"state"`
	Reason         string       `json:"reason,omitempty"`
	ConsumerID     string       `json:"consumer_id"`
	RestaurantID   string       `json:"restaurant_id"`
	CourierID      string       `json:"courier_id,omitempty"`
	Pickup         geo.Position `json:"pickup"`
	Dropoff        geo.Position `json:"dropoff"`
	ReadyBy        time.Time    `json:"ready_by"`
	ReadyAt        time.Time    `json:"ready_at,omitzero"`
	OfferExpiresAt time.Time    `json:"offer_expires_at,omitzero"`
	EtaEarliest    time.Time    `json:"eta_earliest,omitzero"`
	EtaLatest      time.Time    `json:"eta_latest,omitzero"`
	PickedUpAt     time.Time    `json:"picked_up_at,omitzero"`
	DeliveredAt    time.Time    `json:"delivered_at,omitzero"`
	CreatedAt      time.Time    `json:"created_at"`
	UpdatedAt      time.Time    `json:"updated_at"`
	Links          web.Links    `json:"_links"`
}

// resourceOf shows a delivery to a caller: of the links those that he may follow now.
func resourceOf(d *Delivery, p identity.Principal) deliveryResource {
	return deliveryResource{
		ID: d.OrderID, Version: d.Version, OrderID: d.OrderID, State: d.State, Reason: d.Reason,
		ConsumerID: d.ConsumerID, RestaurantID: d.RestaurantID, CourierID: d.assigned(), Pickup: d.Pickup, Dropoff: d.Dropoff,
		ReadyBy: d.ReadyBy, ReadyAt: d.ReadyAt, OfferExpiresAt: d.OfferExpiresAt, EtaEarliest: d.EtaEarliest, EtaLatest: d.EtaLatest,
		PickedUpAt: d.PickedUpAt, DeliveredAt: d.DeliveredAt, CreatedAt: d.CreatedAt, UpdatedAt: d.UpdatedAt,
		Links: linksOf(d, p),
	}
}

// actions are the triggers of the public API and the addresses that they have below a delivery.
var actions = []struct {
	trigger Trigger
	path    string
	by      actors
}{
	{AcceptOffer, "acceptance", itsCourier},
	{DeclineOffer, "decline", itsCourier},
	{ArriveAtPickup, "arrival-at-pickup", itsCourier},
	{ConfirmPickup, "pickup", itsCourier},
	{ArriveAtDropoff, "arrival-at-dropoff", itsCourier},
	{ConfirmDelivery, "dropoff", itsCourier},
	{Fail, "failure", itsCourier},
	{Return, "return", itsCourierOrStaff},
	{Reassign, "reassignment", staff},
}

// actors says who may do something with a delivery: by role, and, for couriers, only with their own.
type actors []identity.Role

var (
	itsCourier        = actors{identity.RoleCourier}
	staff             = actors{identity.RoleSupport, identity.RoleAdmin}
	itsCourierOrStaff = actors{identity.RoleCourier, identity.RoleSupport, identity.RoleAdmin}
)

// include tells whether a caller is one of them for this delivery.
func (a actors) include(p identity.Principal, d *Delivery) bool {
	for _, role := range a {
		if p.Has(role) && (role != identity.RoleCourier || p.Owns(d.CourierID)) {
			return true
		}
	}
	return false
}

func linksOf(d *Delivery, p identity.Principal) web.Links {
	self := "/v1/deliveries/" + d.OrderID
	links := web.Links{}
	links.Get("self", self)
	if !onlyCarries(p, d) {
		links.Get("order", "/v1/orders/"+d.OrderID)
	}
	for _, a := range actions {
		if _, can := machine[occasion{d.State, a.trigger}]; can && a.by.include(p, d) {
			links.Act(a.path, http.MethodPost, self+"/"+a.path)
		}
	}
	return links
}

// onlyCarries tells whether a caller knows of a delivery as its courier and in no other way: couriers are not shown orders.
func onlyCarries(p identity.Principal, d *Delivery) bool {
	return !maySee(p, &Delivery{OrderID: d.OrderID, ConsumerID: d.ConsumerID, RestaurantID: d.RestaurantID})
}

// courierResource is a courier in the public API.
type courierResource struct {
	ID               string        `json:"id"`
	Version          int64         `json:"version"`
	State            CourierState  `json:"state"`
	Name             string        `json:"name,omitempty"`
	Vehicle          string        `json:"vehicle,omitempty"`
	Position         *geo.Position `json:"position"`
	LocationSequence int64         `json:"location_sequence"`
	LocatedAt        time.Time     `json:"located_at,omitzero"`
	Delivery         *taskResource `json:"delivery"`
	CreatedAt        time.Time     `json:"created_at"`
	UpdatedAt        time.Time     `json:"updated_at"`
	Links            web.Links     `json:"_links"`
}

// taskResource is what a courier is offered or has to do.
type taskResource struct {
	OrderID        string       `json:"order_id"`
	State          State        `json:"state"`
	RestaurantID   string       `json:"restaurant_id"`
	Pickup         geo.Position `json:"pickup"`
	Dropoff        geo.Position `json:"dropoff"`
	ReadyBy        time.Time    `json:"ready_by"`
	ReadyAt        time.Time    `json:"ready_at,omitzero"`
	OfferExpiresAt time.Time    `json:"offer_expires_at,omitzero"`
	Links          web.Links    `json:"_links"`
}

// courierResourceOf shows a courier, and the delivery that it has or nil, to a caller. The position is the one that is written down
// with this version.
func courierResourceOf(c *Courier, d *Delivery, p identity.Principal) courierResource {
	r := courierResource{
		ID: c.ID, Version: c.Version, State: c.State, Name: c.Name, Vehicle: c.Vehicle,
		LocationSequence: c.Sequence, LocatedAt: c.LocatedAt, CreatedAt: c.CreatedAt, UpdatedAt: c.UpdatedAt,
		Links: courierLinksOf(c, d, p),
	}
	if at := placeOf(c); at != nil {
		position := *at
		r.Position = &position
	}
	if c.OrderID != "" && d != nil {
		r.Delivery = &taskResource{
			OrderID: d.OrderID, State: d.State, RestaurantID: d.RestaurantID, Pickup: d.Pickup, Dropoff: d.Dropoff,
			ReadyBy: d.ReadyBy, ReadyAt: d.ReadyAt, OfferExpiresAt: d.OfferExpiresAt, Links: linksOf(d, p),
		}
	}
	return r
}

func courierLinksOf(c *Courier, d *Delivery, p identity.Principal) web.Links {
	self := "/v1/couriers/" + c.ID
	links := web.Links{}
	links.Get("self", self)
	if c.OrderID != "" {
		links.Get("delivery", "/v1/deliveries/"+c.OrderID)
	}
	if !p.Has(identity.RoleCourier) || !p.Owns(c.ID) {
		return links
	}
	if c.State == Offline {
		links.Act("shift", http.MethodPost, self+"/shift")
		return links
	}
	links.Act("location", http.MethodPut, self+"/location")
	if d == nil || c.OrderID == "" || mayGiveBack(d.State) {
		links.Act("shift-end", http.MethodPost, self+"/shift-end")
	}
	return links
}

func mayGiveBack(s State) bool {
	_, can := machine[occasion{s, CourierOffline}]
	return can
}

// nearbyResource is a courier on shift as support sees it on the map.
type nearbyResource struct {
	ID             string       `json:"id"`
	State          CourierState `json:"state"`
	Name           string       `json:"name,omitempty"`
	Vehicle        string       `json:"vehicle,omitempty"`
	Position       geo.Position `json:"position"`
	LocatedAt      time.Time    `json:"located_at"`
	DistanceMetres float64      `json:"distance_metres"`
	Links          web.Links    `json:"_links"`
}
