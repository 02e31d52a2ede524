package internal

import (
	"context"

	"kerf/modules/orders/ordersapi"
	"kerf/platform/clock"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/web"
)

// cancellation is the action that asks for a cancel, and the last part of its path.
const cancellation = "cancellation"

// GetOrder returns an order to its consumer, its restaurant, support, or a module.
func (c *Core) GetOrder(ctx context.Context, req *ordersapi.GetOrderRequest) (*ordersapi.GetOrderResponse, error) {
	p, _ := identity.From(ctx)
	o, err := loadOrder(reading{ctx, c.db}, req.GetOrderId())
	if err != nil {
		return nil, err
	}
	if !maySee(p, o) {
		return nil, fault.NotFound("order")
	}
	return &ordersapi.GetOrderResponse{Order: o.view(p)}, nil
}

func maySee(p identity.Principal, o *Order) bool {
	return p.Has(identity.RoleSupport, identity.RoleAdmin, identity.RoleService) ||
		p.Has(identity.RoleConsumer) && p.Owns(o.ConsumerID) ||
		p.Has(identity.RoleRestaurant) && p.Owns(o.RestaurantID)
}

// canceller is as whom a caller would cancel the order; false if it is none of his.
func canceller(p identity.Principal, o *Order) (By, bool) {
	switch {
	case p.Has(identity.RoleConsumer) && p.Owns(o.ConsumerID):
		return ByConsumer, true
	case p.Has(identity.RoleRestaurant) && p.Owns(o.RestaurantID):
		return ByRestaurant, true
	case p.Has(identity.RoleSupport, identity.RoleAdmin):
		return BySupport, true
	}
	return "", false
}

// view is the order as a caller may see it, with what he may do.
func (o *Order) view(p identity.Principal) *ordersapi.Order {
	price := o.Price
	v := &ordersapi.Order{
		OrderId: o.ID, Version: o.Version, State: ordersapi.StateOf(string(o.State)), Reason: o.Reason,
		ConsumerId: o.ConsumerID, RestaurantId: o.RestaurantID, QuoteId: o.QuoteID, AddressId: o.AddressID,
		Subtotal: o.money(price.Subtotal), Tax: o.money(price.Tax), DeliveryFee: o.money(price.DeliveryFee),
		ServiceFee: o.money(price.ServiceFee), SmallOrderFee: o.money(price.SmallOrderFee), Tip: o.money(price.Tip),
		Total: o.money(price.Total), CancellationFee: o.money(price.CancellationFee),
		Address: o.Address.proto(), Notes: o.Notes,
		PlacedAt: clock.ToProto(o.PlacedAt), UpdatedAt: clock.ToProto(o.UpdatedAt), CancelRequested: o.CancelWaits(),
	}
	for _, l := range o.Lines {
		v.Lines = append(v.Lines, &ordersapi.OrderLine{
			ItemId: l.ItemID, Name: l.Name, Quantity: l.Quantity, Options: l.Options,
			UnitPrice: o.money(l.UnitPrice), Total: o.money(l.Total), Tax: o.money(l.Tax),
		})
	}
	if o.Charge != nil {
		v.Charge = o.money(*o.Charge)
	}
	if p.Has(identity.RoleConsumer) && p.Owns(o.ConsumerID) || p.Has(identity.RoleSupport, identity.RoleAdmin) {
		v.DeliveryPin = o.DeliveryPIN
	}
	if _, may := canceller(p, o); may && o.CanCancel() {
		v.Actions = append(v.Actions, cancellation)
	}
	return v
}

// document is the order as REST shows it.
type document struct {
	ordersapi.Document
	Links web.Links `json:"_links"`
}

func (o *Order) document(p identity.Principal) document {
	v := o.view(p)
	links := web.Links{}
	links.Get("self", o.path())
	for _, action := range v.GetActions() {
		links.Act(action, "POST", o.path()+"/"+action)
	}
	return document{Document: ordersapi.DocumentOf(v), Links: links}
}

func (o *Order) path() string { return "/v1/orders/" + o.ID }
