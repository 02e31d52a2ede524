package internal

import (
	"net/http"
	"time"

	"kerf/platform/database"
	"kerf/platform/geo"
	"kerf/platform/identity"
	"kerf/platform/web"
)

// consumerView is the JSON of a consumer; a closed one has no name and no contacts.
type consumerView struct {
	ID               string    `json:"id"`
	Version          int64     `json:"version"`
	State            State     `json:"state"`
	SuspensionReason string    `json:"suspension_reason,omitempty"`
	Name             string    `json:"name"`
	Email            string    `json:"email"`
	Phone            string    `json:"phone,omitempty"`
	Locale           string    `json:"locale"`
	MutedChannels    Channels  `json:"muted_channels"`
	OrderLimit       int64     `json:"order_limit"`
	DefaultAddressID string    `json:"default_address_id,omitempty"`
	CreatedAt        time.Time `json:"created_at"`
	Links            web.Links `json:"_links"`
}

func (c *Consumer) path() string { return root + "/" + c.ID }

func (c *Consumer) view(to identity.Principal) consumerView {
	v := consumerView{
		ID: c.ID, Version: c.Version, State: c.State, SuspensionReason: c.SuspensionReason, Name: c.Name, Email: c.Email, Phone: c.Phone,
		Locale: c.Locale, MutedChannels: c.MutedChannels, OrderLimit: c.OrderLimit, DefaultAddressID: c.DefaultAddressID,
		CreatedAt: database.Time(c.CreatedAt), Links: c.links(to),
	}
	if v.MutedChannels == nil {
		v.MutedChannels = Channels{} // [], not null
	}
	return v
}

func (c *Consumer) links(to identity.Principal) web.Links {
	links, owner := web.Links{}, to.Has(identity.RoleConsumer) && to.Owns(c.ID)
	links.Get("self", c.path())
	links.Get("addresses", c.path()+"/addresses")
	links.Get("payment-methods", c.path()+"/payment-methods")
	if c.DefaultAddressID != "" {
		links.Get("default-address", c.path()+"/addresses/"+c.DefaultAddressID)
	}
	if owner && c.May(OnEdit) {
		links.Act("edit", http.MethodPatch, c.path())
		links.Act("notification-preferences", http.MethodPut, c.path()+"/notification-preferences")
	}
	if owner && c.State == Active {
		links.Act("quote", http.MethodPost, "/v1/quotes")
	}
	if isStaff(to) && c.May(OnSuspend) {
		links.Act("suspension", http.MethodPost, c.path()+"/suspension")
	}
	if isStaff(to) && c.May(OnReactivate) {
		links.Act("reactivation", http.MethodPost, c.path()+"/reactivation")
	}
	if (owner || isStaff(to)) && c.May(OnClose) {
		links.Act("closure", http.MethodPost, c.path()+"/closure")
	}
	return links
}

// addressView is the JSON of an address.
type addressView struct {
	ID         string       `json:"id"`
	Version    int64        `json:"version"`
	ConsumerID string       `json:"consumer_id"`
	Label      string       `json:"label"`
	Street     string       `json:"street"`
	City       string       `json:"city"`
	PostalCode string       `json:"postal_code"`
	Country    string       `json:"country"`
	Position   geo.Position `json:"position"`
	IsDefault  bool         `json:"is_default"`
	Links      web.Links    `json:"_links"`
}

func (a *Address) path() string { return root + "/" + a.ConsumerID + "/addresses/" + a.ID }

// view shows an address of a consumer.
func (a *Address) view(c *Consumer, to identity.Principal) addressView {
	v := addressView{
		ID: a.ID, Version: a.Version, ConsumerID: a.ConsumerID, Label: a.Label, Street: a.Street, City: a.City, PostalCode: a.PostalCode,
		Country: a.Country, Position: a.Position, IsDefault: c.DefaultAddressID == a.ID, Links: web.Links{},
	}
	v.Links.Get("self", a.path())
	v.Links.Get("consumer", c.path())
	if to.Has(identity.RoleConsumer) && to.Owns(c.ID) && c.May(OnEdit) {
		v.Links.Act("edit", http.MethodPut, a.path())
		v.Links.Act("remove", http.MethodDelete, a.path())
		if !v.IsDefault {
			v.Links.Act("make-default", http.MethodPut, c.path()+"/default-address")
		}
	}
	return v
}

// paymentMethodView is the JSON of a payment method. The token is never shown.
type paymentMethodView struct {
	ID         string    `json:"id"`
	Version    int64     `json:"version"`
	ConsumerID string    `json:"consumer_id"`
	Label      string    `json:"label"`
	CreatedAt  time.Time `json:"created_at"`
	Links      web.Links `json:"_links"`
}

func (p *PaymentMethod) path() string { return root + "/" + p.ConsumerID + "/payment-methods/" + p.ID }

func (p *PaymentMethod) view(to identity.Principal) paymentMethodView {
	v := paymentMethodView{
		ID: p.ID, Version: paymentMethodVersion, ConsumerID: p.ConsumerID, Label: p.Label, CreatedAt: database.Time(p.CreatedAt), Links: web.Links{},
	}
	v.Links.Get("self", p.path())
	v.Links.Get("consumer", root+"/"+p.ConsumerID)
	if to.Has(identity.RoleConsumer) && to.Owns(p.ConsumerID) {
		v.Links.Act("remove", http.MethodDelete, p.path())
	}
	return v
}
