package internal

import (
	"context"
	"crypto/rand"
	"fmt"
	"math/big"
	"time"

	"kerf/modules/consumers/consumersapi"
	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/geo"
	"kerf/platform/kerfpb"
)

// Quoter has quotes. It is asked before the transaction that records an order.
type Quoter interface {
	GetQuote(context.Context, *restaurantsapi.GetQuoteRequest) (*restaurantsapi.GetQuoteResponse, error)
}

// Checker knows who may order.
type Checker interface {
	CheckMayOrder(context.Context, *consumersapi.CheckMayOrderRequest) (*consumersapi.CheckMayOrderResponse, error)
}

const (
	// queryDeadline bounds each question that a diner waits for.
	queryDeadline = 2 * time.Second
	// addressTolerance is how far, in metres, the consumer's address may lie from where the quote delivers to.
	addressTolerance = 100
)

// PlaceOrder is a diner's command.
type PlaceOrder struct {
	ConsumerID      string
	QuoteID         string
	AddressID       string
	PaymentMethodID string
	Notes           string
}

// agree asks restaurants and consumers whether the order may be placed, and freezes what it was placed for. The second question needs the
// first's answer: the limit of a consumer is on the total.
// Errors: those of GetQuote and CheckMayOrder; refused address_mismatch; unavailable while one of them does not answer.
func (c *Core) agree(ctx context.Context, cmd PlaceOrder) (Terms, error) {
	ctx, cancel := context.WithTimeout(ctx, queryDeadline)
	defer cancel()
	quoted, err := c.ask.Restaurants.GetQuote(ctx, &restaurantsapi.GetQuoteRequest{QuoteId: cmd.QuoteID, ConsumerId: cmd.ConsumerID})
	if err != nil {
		return Terms{}, answerOf(err, "restaurants", "quote_id")
	}
	quote := quoted.GetQuote()
	checked, err := c.ask.Consumers.CheckMayOrder(ctx, &consumersapi.CheckMayOrderRequest{
		ConsumerId: cmd.ConsumerID, AddressId: cmd.AddressID, PaymentMethodId: cmd.PaymentMethodID, Total: quote.GetTotal(),
	})
	if err != nil {
		return Terms{}, answerOf(err, "consumers", "")
	}
	if geo.FromProto(quote.GetAddress()).Distance(geo.FromProto(checked.GetAddress())) > addressTolerance {
		return Terms{}, fault.Refused("address_mismatch", "the address is not where the quote delivers to")
	}
	return c.terms(cmd, quote, checked.GetPaymentToken())
}

// answerOf passes on what an owner said, naming the field of an object that it does not know, and says of everything else that the
// owner is not available.
func answerOf(err error, owner, field string) error {
	f := fault.As(err)
	if !fault.Definite(err) {
		return fault.Unavailable(time.Second, owner+"_unavailable", "%s does not answer", owner).WithCause(err)
	}
	if f.Kind == fault.KindNotFound && field != "" {
		named := *f
		named.Violations = []fault.Violation{{Field: field, Description: "must name one that exists"}}
		return &named
	}
	return f
}

func (c *Core) terms(cmd PlaceOrder, q *restaurantsapi.Quote, paymentToken string) (Terms, error) {
	code, err := fourDigits()
	if err != nil {
		return Terms{}, err
	}
	pin, err := fourDigits()
	if err != nil {
		return Terms{}, err
	}
	return Terms{
		ConsumerID: cmd.ConsumerID, RestaurantID: q.GetRestaurantId(), QuoteID: cmd.QuoteID, AddressID: cmd.AddressID,
		Lines: linesOf(q), Price: priceOf(q),
		Address: positionOf(q.GetAddress()), RestaurantPosition: positionOf(q.GetRestaurantPosition()),
		PaymentToken: paymentToken, Notes: cmd.Notes, PickupCode: code, DeliveryPIN: pin,
		PreparationSeconds: q.GetPreparationSeconds(),
		EtaEarliest:        clock.FromProto(q.GetEtaEarliest()), EtaLatest: clock.FromProto(q.GetEtaLatest()),
		PlacedAt: c.clock.Now(),
	}, nil
}

func linesOf(q *restaurantsapi.Quote) []Line {
	lines := make([]Line, len(q.GetLines()))
	for i, l := range q.GetLines() {
		options := make([]string, len(l.GetOptions()))
		for j, option := range l.GetOptions() {
			options[j] = option.GetName()
		}
		lines[i] = Line{
			ItemID: l.GetItemId(), Name: l.GetName(), Quantity: l.GetQuantity(), Options: options,
			UnitPrice: l.GetUnitPrice().GetAmount(), Total: l.GetTotal().GetAmount(), Tax: l.GetTax().GetAmount(),
		}
	}
	return lines
}

func priceOf(q *restaurantsapi.Quote) Price {
	return Price{
		Currency: q.GetTotal().GetCurrency(),
		Subtotal: q.GetSubtotal().GetAmount(), Tax: q.GetTax().GetAmount(), DeliveryFee: q.GetDeliveryFee().GetAmount(),
		ServiceFee: q.GetServiceFee().GetAmount(), SmallOrderFee: q.GetSmallOrderFee().GetAmount(), Tip: q.GetTip().GetAmount(),
		Total: q.GetTotal().GetAmount(), CancellationFee: q.GetCancellationFee().GetAmount(),
	}
}

func positionOf(p *kerfpb.Position) Position {
	return Position{Latitude: p.GetLatitude(), Longitude: p.GetLongitude()}
}

// place records the order in tx. The id was made before, since a transaction may run twice.
// Errors: refused quote_used.
func (c *Core) place(ctx context.Context, tx *database.Tx, id string, terms Terms) (*Order, error) {
	o := Place(id, terms, newID)
	fresh, err := c.add(ctx, tx, o)
	if err != nil {
		return nil, err
	}
	if !fresh {
		used := fault.Refused("quote_used", "the quote was ordered before")
		used.Violations = []fault.Violation{{Field: "quote_id", Description: "was ordered before"}}
		return nil, used
	}
	return o, nil
}

// fourDigits is a code that nobody can guess from another.
func fourDigits() (string, error) {
	n, err := rand.Int(rand.Reader, big.NewInt(10000))
	if err != nil {
		return "", fmt.Errorf("make a code: %w", err)
	}
	return fmt.Sprintf("%04d", n), nil
}
