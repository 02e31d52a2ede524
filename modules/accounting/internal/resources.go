package internal

import (
	"net/http"
	"strconv"
	"time"

	"kerf/platform/identity"
	"kerf/platform/money"
	"kerf/platform/web"
)

// paymentResource is a payment in the public API.
type paymentResource struct {
	ID           string      `json:"id"`
	Version      int64       `json:"version"`
	OrderID      string      `json:"order_id"`
	State        State       `json:"state"`
	Reason       string      `json:"reason,omitempty"`
	ConsumerID   string      `json:"consumer_id"`
	RestaurantID string      `json:"restaurant_id"`
	Authorized   money.Money `json:"authorized"`
	Captured     money.Money `json:"captured"`
	Refunded     money.Money `json:"refunded"`
	CreatedAt    time.Time   `json:"created_at"`
	UpdatedAt    time.Time   `json:"updated_at"`
	Links        web.Links   `json:"_links"`
}

func pathOf(orderID string) string { return "/v1/payments/" + orderID }

func paymentResourceOf(p *Payment, caller identity.Principal) paymentResource {
	links := web.Links{}
	links.Get("self", pathOf(p.OrderID))
	links.Get("order", "/v1/orders/"+p.OrderID)
	if p.Captured > 0 {
		links.Get("receipt", pathOf(p.OrderID)+"/receipt")
	}
	if p.Captured > p.Refunded && caller.Has(backOffice...) {
		links.Act("refunds", http.MethodPost, pathOf(p.OrderID)+"/refunds")
	}
	return paymentResource{
		ID: p.OrderID, Version: p.Version, OrderID: p.OrderID, State: p.State, Reason: p.Reason,
		ConsumerID: p.ConsumerID, RestaurantID: p.RestaurantID,
		Authorized: p.money(p.Authorized), Captured: p.money(p.Captured), Refunded: p.money(p.Refunded),
		CreatedAt: p.CreatedAt, UpdatedAt: p.UpdatedAt, Links: links,
	}
}

// receiptResource is what a diner was charged, and got back.
type receiptResource struct {
	ID        string             `json:"id"`
	Version   int64              `json:"version"`
	OrderID   string             `json:"order_id"`
	Purpose   Purpose            `json:"purpose"`
	Breakdown *breakdownResource `json:"breakdown,omitempty"`
	Charged   money.Money        `json:"charged"`
	Refunded  money.Money        `json:"refunded"`
	Net       money.Money        `json:"net"`
	Refunds   []refundResource   `json:"refunds"`
	ChargedAt time.Time          `json:"charged_at"`
	Links     web.Links          `json:"_links"`
}

type breakdownResource struct {
	Subtotal      money.Money `json:"subtotal"`
	Tax           money.Money `json:"tax"`
	DeliveryFee   money.Money `json:"delivery_fee"`
	ServiceFee    money.Money `json:"service_fee"`
	SmallOrderFee money.Money `json:"small_order_fee"`
	Tip           money.Money `json:"tip"`
}

// receiptResourceOf shows what the charge is made of where it is for the whole order; a fee is made of nothing else.
func receiptResourceOf(p *Payment, refunds []Given) receiptResource {
	links := web.Links{}
	links.Get("self", pathOf(p.OrderID)+"/receipt")
	links.Get("payment", pathOf(p.OrderID))
	r := receiptResource{
		ID: p.OrderID, Version: p.Version, OrderID: p.OrderID, Purpose: p.Purpose,
		Charged: p.money(p.Captured), Refunded: p.money(p.Refunded), Net: p.money(p.Captured - p.Refunded),
		Refunds: make([]refundResource, len(refunds)), ChargedAt: p.CapturedAt, Links: links,
	}
	for i, g := range refunds {
		r.Refunds[i] = refundResourceOf(g)
	}
	if b := p.Breakdown; p.Captured == p.Authorized && p.Purpose == ForOrder {
		r.Breakdown = &breakdownResource{
			Subtotal: p.money(b.Subtotal), Tax: p.money(b.Tax), DeliveryFee: p.money(b.DeliveryFee),
			ServiceFee: p.money(b.ServiceFee), SmallOrderFee: p.money(b.SmallOrderFee), Tip: p.money(b.Tip),
		}
	}
	return r
}

// refundResource is a refund that was carried out. It never changes.
type refundResource struct {
	ID         string      `json:"id"`
	Version    int64       `json:"version"`
	OrderID    string      `json:"order_id"`
	Amount     money.Money `json:"amount"`
	Reason     string      `json:"reason"`
	RefundedAt time.Time   `json:"refunded_at"`
	Links      web.Links   `json:"_links"`
}

func refundResourceOf(g Given) refundResource {
	number := strconv.FormatInt(g.Number, 10)
	links := web.Links{}
	links.Get("self", pathOf(g.OrderID)+"/refunds/"+number)
	links.Get("payment", pathOf(g.OrderID))
	return refundResource{
		ID: number, Version: 1, OrderID: g.OrderID, Amount: g.Amount, Reason: g.Reason, RefundedAt: g.At, Links: links,
	}
}

// ledgerResource is the ledger in sum.
type ledgerResource struct {
	Balances []balanceResource `json:"balances"`
	// Imbalance is 0 while the ledger sums to zero in each currency.
	Imbalance int64         `json:"imbalance"`
	Captured  []money.Money `json:"captured"`
	Refunded  []money.Money `json:"refunded"`
	Links     web.Links     `json:"_links"`
}

type balanceResource struct {
	Account AccountKind `json:"account"`
	Balance money.Money `json:"balance"`
}

func ledgerResourceOf(balances []Balance, imbalance int64, sums []Moved) ledgerResource {
	links := web.Links{}
	links.Get("self", "/v1/ledger")
	links.Get("postings", "/v1/ledger/postings")
	r := ledgerResource{
		Balances: make([]balanceResource, len(balances)), Imbalance: imbalance,
		Captured: make([]money.Money, len(sums)), Refunded: make([]money.Money, len(sums)), Links: links,
	}
	for i, b := range balances {
		r.Balances[i] = balanceResource{b.Account, b.Amount}
	}
	for i, m := range sums {
		r.Captured[i], r.Refunded[i] = m.Captured, m.Refunded
	}
	return r
}

// postingResource is a posting; in a statement, only its owner's entries.
type postingResource struct {
	ID       string          `json:"id"`
	OrderID  string          `json:"order_id"`
	Kind     Kind            `json:"kind"`
	Reason   string          `json:"reason"`
	Entries  []entryResource `json:"entries"`
	PostedAt time.Time       `json:"posted_at"`
}

type entryResource struct {
	Account AccountKind `json:"account"`
	OwnerID string      `json:"owner_id,omitempty"`
	Amount  money.Money `json:"amount"`
}

func postingResourcesOf(list []Booked) []postingResource {
	resources := make([]postingResource, len(list))
	for i, b := range list {
		r := postingResource{
			ID: b.ID, OrderID: b.OrderID, Kind: b.Kind, Reason: b.Reason, PostedAt: b.PostedAt,
			Entries: make([]entryResource, len(b.Entries)),
		}
		for j, e := range b.Entries {
			r.Entries[j] = entryResource{e.Kind, e.Owner, money.Money{Amount: e.Amount, Currency: b.Currency}}
		}
		resources[i] = r
	}
	return resources
}

// statementResource is what an owner has earned: the balances, and a page of the postings that made them.
type statementResource struct {
	OwnerID  string        `json:"owner_id"`
	Balances []money.Money `json:"balances"`
	web.Collection[postingResource]
}
