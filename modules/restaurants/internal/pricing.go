package internal

import (
	"fmt"
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/fault"
	"kerf/platform/geo"
	"kerf/platform/ids"
	"kerf/platform/kerfpb"
	"kerf/platform/money"
)

// Limits of a quote.
const (
	maxLines       = 50
	maxQuantity    = 99
	maxLineOptions = 50
)

const (
	// quoteLife is how long a price holds, in domain time.
	quoteLife = time.Hour
	// courierSpeed is metres a second, by bicycle through a city.
	courierSpeed = 5.0
	// etaSlack is how much later than the earliest an order may come before anybody would call it late: a wait for a courier, and
	// half the way again for the traffic.
	etaSlack = 10 * time.Minute
)

// QuoteRequest is what a diner would order. It carries no price: prices come from the menu.
type QuoteRequest struct {
	RestaurantID string        `json:"restaurant_id"`
	Lines        []LineRequest `json:"lines"`
	// Address is where it would be brought.
	Address *geo.Position `json:"address"`
	Tip     *money.Money  `json:"tip"`
}

// LineRequest is a number of one item with the same options.
type LineRequest struct {
	ItemID   string          `json:"item_id"`
	Quantity int             `json:"quantity"`
	Options  []OptionRequest `json:"options"`
}

// OptionRequest chooses an option of one of the item's groups.
type OptionRequest struct {
	GroupID  string `json:"group_id"`
	OptionID string `json:"option_id"`
}

// validate checks all that can be said without a restaurant. Invalid, naming each field.
func (q *QuoteRequest) validate() error {
	var v fault.Checks
	_, err := ids.Parse("restaurant_id", q.RestaurantID)
	v.Note("restaurant_id", err)
	q.Address.Check(&v, "address")
	v.That(len(q.Lines) >= 1 && len(q.Lines) <= maxLines, "lines", "must be 1 to %d lines", maxLines)
	for i, l := range q.Lines[:min(len(q.Lines), maxLines)] {
		at := fmt.Sprintf("lines[%d]", i)
		v.Text(l.ItemID, at+".item_id", 1, maxID)
		v.That(l.Quantity >= 1 && l.Quantity <= maxQuantity, at+".quantity", "must be 1 to %d", maxQuantity)
		if !v.That(len(l.Options) <= maxLineOptions, at+".options", "must be at most %d", maxLineOptions) {
			continue
		}
		for j, o := range l.Options {
			v.Text(o.GroupID, fmt.Sprintf("%s.options[%d].group_id", at, j), 1, maxID)
			v.Text(o.OptionID, fmt.Sprintf("%s.options[%d].option_id", at, j), 1, maxID)
		}
	}
	if q.Tip != nil {
		v.That(q.Tip.Amount >= 0 && q.Tip.Amount <= maxAmount, "tip.amount", "must be 0 to %d", maxAmount)
	}
	return v.Err()
}

// price makes a quote of a valid request from the current menu, without id and consumer. It is refused if the order could not be
// placed now: restaurant_closed, outside_zone, item_unavailable, below_minimum; and Invalid where options do not fit the item, or
// the tip is in another currency or above the subtotal.
//
// Amounts are added unchecked: the limits of menus, fees and requests keep any total under 10^16, which an int64 holds; one
// beyond money.Max is refused at the end.
func (r *Restaurant) price(menu *Menu, q *QuoteRequest, zone *time.Location, now time.Time) (*restaurantsapi.Quote, error) {
	if !r.OpenAt(now, zone) {
		return nil, restaurantClosed()
	}
	if !r.Delivers(*q.Address) {
		return nil, outsideZone()
	}
	quote := &restaurantsapi.Quote{RestaurantId: r.ID, MenuVersion: menu.Version, Lines: make([]*restaurantsapi.QuoteLine, len(q.Lines))}
	var subtotal, tax int64
	for i := range q.Lines {
		line, err := r.priceLine(menu, &q.Lines[i], fmt.Sprintf("lines[%d]", i), now)
		if err != nil {
			return nil, err
		}
		quote.Lines[i] = line
		subtotal += line.GetTotal().GetAmount()
		tax += line.GetTax().GetAmount()
	}
	if subtotal < r.Fees.Minimum {
		return nil, r.belowMinimum()
	}
	tip, err := r.tip(q.Tip, subtotal)
	if err != nil {
		return nil, err
	}
	serviceFee, err := r.money(subtotal).Tax(r.Fees.ServiceFeeBasisPoints)
	if err != nil {
		return nil, fmt.Errorf("service fee: %w", err)
	}
	smallOrderFee := int64(0)
	if subtotal < r.Fees.SmallOrderBelow {
		smallOrderFee = r.Fees.SmallOrderFee
	}
	total := subtotal + tax + r.Fees.DeliveryFee + serviceFee.Amount + smallOrderFee + tip
	if total > money.Max {
		return nil, fault.Invalid(fault.Violation{Field: "lines", Description: "cost more than can be counted"})
	}
	quote.Subtotal, quote.Tax = r.proto(subtotal), r.proto(tax)
	quote.DeliveryFee, quote.ServiceFee = r.proto(r.Fees.DeliveryFee), serviceFee.ToProto()
	quote.SmallOrderFee, quote.Tip = r.proto(smallOrderFee), r.proto(tip)
	quote.Total, quote.CancellationFee = r.proto(total), r.proto(min(r.Fees.CancellationFee, total))
	r.foretell(quote, *q.Address, now)
	return quote, nil
}

// priceLine prices one line; at is its path in the request.
func (r *Restaurant) priceLine(menu *Menu, l *LineRequest, at string, now time.Time) (*restaurantsapi.QuoteLine, error) {
	item := menu.Item(l.ItemID)
	if item == nil || !r.Available(l.ItemID, now) {
		return nil, itemUnavailable(l.ItemID, at+".item_id")
	}
	options, err := item.choose(l.Options, at+".options")
	if err != nil {
		return nil, err
	}
	unit := item.Price.Amount
	for _, o := range options {
		unit += o.GetPriceDelta().GetAmount()
	}
	total := unit * int64(l.Quantity)
	tax, err := r.money(total).Tax(r.TaxBasisPoints)
	if err != nil {
		return nil, fmt.Errorf("tax of %s: %w", at, err)
	}
	return &restaurantsapi.QuoteLine{
		ItemId: item.ID, Name: item.Name, Quantity: int32(l.Quantity), Options: options,
		UnitPrice: r.proto(unit), Total: r.proto(total), Tax: tax.ToProto(),
	}, nil
}

// choose finds the chosen options in the order of the menu's groups. Invalid for an unknown one, one chosen twice, and too few or
// too many of a group.
func (item *Item) choose(chosen []OptionRequest, at string) ([]*restaurantsapi.QuoteOption, error) {
	var v fault.Checks
	found := make([]*restaurantsapi.QuoteOption, 0, len(chosen))
	known := make([]bool, len(chosen))
	for g := range item.ModifierGroups {
		group, count := &item.ModifierGroups[g], 0
		for _, o := range group.Options {
			taken := false
			for i, c := range chosen {
				if c.GroupID != group.ID || c.OptionID != o.ID {
					continue
				}
				v.That(!taken, fmt.Sprintf("%s[%d]", at, i), "is chosen twice")
				taken, known[i] = true, true
			}
			if taken {
				count++
				found = append(found, &restaurantsapi.QuoteOption{GroupId: group.ID, OptionId: o.ID, Name: o.Name, PriceDelta: o.PriceDelta.ToProto()})
			}
		}
		v.That(count >= group.Min && count <= group.Max, at, "must hold %d to %d of group %s", group.Min, group.Max, group.ID)
	}
	for i, k := range known {
		v.That(k, fmt.Sprintf("%s[%d]", at, i), "is not an option of %s", item.ID)
	}
	return found, v.Err()
}

func (r *Restaurant) tip(tip *money.Money, subtotal int64) (int64, error) {
	if tip == nil {
		return 0, nil
	}
	var v fault.Checks
	v.That(tip.Currency == r.Currency, "tip.currency", "must be %s, the restaurant's currency", r.Currency)
	v.That(tip.Amount <= subtotal, "tip.amount", "must be at most the subtotal, %d", subtotal)
	return tip.Amount, v.Err()
}

// foretell adds positions, times and expiry.
func (r *Restaurant) foretell(quote *restaurantsapi.Quote, address geo.Position, now time.Time) {
	preparation := time.Duration(r.PreparationMinutes) * time.Minute
	ride := time.Duration(r.Position.Distance(address)/courierSpeed) * time.Second
	earliest := now.Add(preparation + ride)
	quote.RestaurantPosition, quote.Address = r.Position.ToProto(), address.ToProto()
	quote.PreparationSeconds = int32(preparation / time.Second)
	quote.EtaEarliest = timestamppb.New(earliest)
	quote.EtaLatest = timestamppb.New(earliest.Add(etaSlack + ride/2))
	quote.ExpiresAt = timestamppb.New(now.Add(quoteLife))
}

// orderable tells whether a quote can be ordered now, by the restaurant as it is now; menu is its current one. Refused
// quote_expired, restaurant_closed, outside_zone, below_minimum, item_unavailable. The price is not looked at: it is frozen.
func (r *Restaurant) orderable(quote *restaurantsapi.Quote, menu *Menu, zone *time.Location, now time.Time) error {
	if !now.Before(quote.GetExpiresAt().AsTime()) {
		return fault.Refused("quote_expired", "the quote has expired; ask for another")
	}
	if !r.OpenAt(now, zone) {
		return restaurantClosed()
	}
	if !r.Delivers(geo.FromProto(quote.GetAddress())) {
		return outsideZone()
	}
	if quote.GetSubtotal().GetAmount() < r.Fees.Minimum {
		return r.belowMinimum()
	}
	for i, l := range quote.GetLines() {
		if menu.Item(l.GetItemId()) == nil || !r.Available(l.GetItemId(), now) {
			return itemUnavailable(l.GetItemId(), fmt.Sprintf("lines[%d].item_id", i))
		}
	}
	return nil
}

func (r *Restaurant) money(amount int64) money.Money {
	return money.Money{Amount: amount, Currency: r.Currency}
}

func (r *Restaurant) proto(amount int64) *kerfpb.Money { return r.money(amount).ToProto() }

func restaurantClosed() error {
	return fault.Refused("restaurant_closed", "the restaurant takes no orders now")
}

func outsideZone() error {
	e := fault.Refused("outside_zone", "the restaurant does not deliver to this address")
	e.Violations = []fault.Violation{{Field: "address", Description: "is outside the restaurant's delivery zone"}}
	return e
}

func (r *Restaurant) belowMinimum() error {
	e := fault.Refused("below_minimum", "the subtotal is below the restaurant's minimum of %s", r.money(r.Fees.Minimum))
	e.Violations = []fault.Violation{{Field: "lines", Description: "do not reach the minimum"}}
	return e
}

func itemUnavailable(itemID, field string) error {
	e := fault.Refused("item_unavailable", "item %q cannot be had now", itemID)
	e.Violations = []fault.Violation{{Field: field, Description: "cannot be had now"}}
	return e
}
