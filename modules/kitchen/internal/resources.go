package internal

import (
	"net/http"
	"time"

	"kerf/platform/identity"
	"kerf/platform/web"
)

// ticketResource is a ticket in the public API.
type ticketResource struct {
	ID             string         `json:"id"`
	Version        int64          `json:"version"`
	OrderID        string         `json:"order_id"`
	State          State          `json:"state"`
	Reason         string         `json:"reason,omitempty"`
	MissingItemIDs []string       `json:"missing_item_ids,omitempty"`
	RestaurantID   string         `json:"restaurant_id"`
	ConsumerID     string         `json:"consumer_id"`
	Lines          []lineResource `json:"lines"`
	Notes          string         `json:"notes,omitempty"`
	PickupCode     string         `json:"pickup_code,omitempty"`
	AcceptBy       time.Time      `json:"accept_by,omitzero"`
	ReadyBy        time.Time      `json:"ready_by,omitzero"`
	ReadyAt        time.Time      `json:"ready_at,omitzero"`
	CreatedAt      time.Time      `json:"created_at"`
	UpdatedAt      time.Time      `json:"updated_at"`
	Links          web.Links      `json:"_links"`
}

type lineResource struct {
	ItemID   string   `json:"item_id"`
	Name     string   `json:"name"`
	Quantity int32    `json:"quantity"`
	Options  []string `json:"options,omitempty"`
}

// resourceOf shows a ticket to a caller: its code only to the restaurant, and of the links those that he may follow now.
func resourceOf(t *Ticket, p identity.Principal) ticketResource {
	r := ticketResource{
		ID: t.OrderID, Version: t.Version, OrderID: t.OrderID, State: t.State, Reason: t.Reason, MissingItemIDs: t.MissingItems,
		RestaurantID: t.RestaurantID, ConsumerID: t.ConsumerID, Notes: t.Notes,
		AcceptBy: t.AcceptBy, ReadyBy: t.ReadyBy, ReadyAt: t.ReadyAt, CreatedAt: t.CreatedAt, UpdatedAt: t.UpdatedAt,
		Lines: make([]lineResource, len(t.Lines)),
		Links: linksOf(t, p),
	}
	for i, l := range t.Lines {
		r.Lines[i] = lineResource(l)
	}
	if mayKnowCode(p, t) {
		r.PickupCode = t.PickupCode
	}
	return r
}

// actions are the restaurant's triggers and the addresses that they have below a ticket.
var actions = []struct {
	trigger Trigger
	path    string
}{
	{Accept, "acceptance"},
	{Reject, "rejection"},
	{StartPreparation, "preparation"},
	{MarkReady, "readiness"},
	{Delay, "delay"},
	{HandOver, "hand-over"},
}

func linksOf(t *Ticket, p identity.Principal) web.Links {
	self := "/v1/tickets/" + t.OrderID
	links := web.Links{}
	links.Get("self", self)
	links.Get("order", "/v1/orders/"+t.OrderID)
	if !p.Has(identity.RoleRestaurant) || !p.Owns(t.RestaurantID) {
		return links
	}
	for _, a := range actions {
		if _, can := machine[occasion{t.State, a.trigger}]; can {
			links.Act(a.path, http.MethodPost, self+"/"+a.path)
		}
	}
	return links
}

// kitchenResource is a kitchen in the public API.
type kitchenResource struct {
	ID        string    `json:"id"`
	Version   int64     `json:"version"`
	Capacity  int64     `json:"capacity"`
	UpdatedAt time.Time `json:"updated_at,omitzero"`
	Links     web.Links `json:"_links"`
}

func kitchenResourceOf(k Kitchen, p identity.Principal) kitchenResource {
	self := "/v1/kitchens/" + k.RestaurantID
	links := web.Links{}
	links.Get("self", self)
	links.Get("tickets", "/v1/tickets?restaurant_id="+k.RestaurantID)
	if p.Has(identity.RoleRestaurant) && p.Owns(k.RestaurantID) {
		links.Act("capacity", http.MethodPut, self)
	}
	return kitchenResource{ID: k.RestaurantID, Version: k.Version, Capacity: k.Capacity, UpdatedAt: k.UpdatedAt, Links: links}
}
