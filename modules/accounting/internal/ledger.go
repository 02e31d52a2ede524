package internal

import (
	"errors"
	"fmt"
	"math/bits"
	"slices"
)

// AccountKind is a kind of account in the ledger.
type AccountKind string

// The accounts. Consumers, restaurants and couriers each have one of their own; the platform has one of each other kind.
const (
	Consumer    AccountKind = "consumer"     // what diners have paid (negative), less what they got back
	Restaurant  AccountKind = "restaurant"   // what a restaurant has earned
	Courier     AccountKind = "courier"      // what a courier has earned
	PlatformFee AccountKind = "platform_fee" // what the platform has earned
	Tax         AccountKind = "tax"          // what is owed to the state
	RefundCost  AccountKind = "refund"       // what refunds have cost the platform (negative)
)

// Account is where an entry is booked; the platform's accounts have no owner.
type Account struct {
	Kind  AccountKind
	Owner string
}

// Entry is one line of a posting. A positive amount is credited: the account's owner has earned it; a negative one is debited.
type Entry struct {
	Account
	Amount int64
}

// Posting is what a movement of money means to everybody: entries of one currency that sum to zero.
type Posting struct {
	Kind      Kind // capture or refund
	Reference string
	Reason    string
	Currency  string
	Entries   []Entry
}

// errUnbalanced is a posting that would make money, or lose it. The database refuses it too.
var errUnbalanced = errors.New("a posting must have entries that sum to zero, none of them zero")

// Check tells whether the posting may be booked.
func (p Posting) Check() error {
	var sum int64
	for _, e := range p.Entries {
		sum += e.Amount
		if e.Amount == 0 {
			return fmt.Errorf("%w: %s", errUnbalanced, e.Kind)
		}
	}
	if sum != 0 || len(p.Entries) == 0 {
		return fmt.Errorf("%w: %d", errUnbalanced, sum)
	}
	return nil
}

// entries collects amounts by account, in the order in which the accounts first appear, and leaves out what comes to nothing.
type entries []Entry

func (es *entries) add(kind AccountKind, owner string, amount int64) {
	account := Account{kind, owner}
	if i := slices.IndexFunc(*es, func(e Entry) bool { return e.Account == account }); i >= 0 {
		(*es)[i].Amount += amount
		return
	}
	*es = append(*es, Entry{account, amount})
}

func (es entries) posted() []Entry {
	return slices.DeleteFunc(es, func(e Entry) bool { return e.Amount == 0 })
}

// CapturePosting books a charge. The diner pays the amount.
//
// For an order the restaurant earns the subtotal, tax is owed, the service and small-order fees are the platform's, and the courier
// earns the delivery fee and the tip; where there is no courier, the platform keeps the delivery fee and the restaurant the tip. A
// charge that is less than what was authorised is shared in proportion. A cancellation fee is the restaurant's, whole: it makes up
// for work that was promised, so no tax, fee or delivery is in it.
func CapturePosting(p *Payment, amount int64, purpose Purpose, courierID string) Posting {
	es := entries{}
	es.add(Consumer, p.ConsumerID, -amount)
	if purpose == ForCancellationFee {
		es.add(Restaurant, p.RestaurantID, amount)
	} else {
		b := p.Breakdown
		part := share(amount, []int64{b.Subtotal, b.Tax, b.DeliveryFee, b.ServiceFee, b.SmallOrderFee, b.Tip})
		es.add(Restaurant, p.RestaurantID, part[0])
		es.add(Tax, "", part[1])
		es.add(PlatformFee, "", part[3]+part[4])
		if courierID != "" {
			es.add(Courier, courierID, part[2]+part[5])
		} else {
			es.add(PlatformFee, "", part[2])
			es.add(Restaurant, p.RestaurantID, part[5])
		}
	}
	return Posting{Kind: KindCapture, Reason: string(purpose), Currency: p.Currency, Entries: es.posted()}
}

// RefundPosting books what is given back to the diner. Who bears it follows from the reason:
//
//   - missing_item, wrong_item, quality, restaurant_error: the restaurant, and the tax on it, in proportion to what both have left
//     of this order; the platform bears what goes beyond;
//   - order_reversed, duplicate: everybody, in proportion to what each has left of this order;
//   - all else, goodwill and failed deliveries among it: the platform. Restaurant and courier did their part.
//
// earned is what each account has of this order so far: its capture less its refunds.
func RefundPosting(p *Payment, amount int64, reason string, earned []Entry) Posting {
	es := entries{}
	es.add(Consumer, p.ConsumerID, amount)
	var bearers []Entry
	for _, e := range earned {
		if e.Amount > 0 && bears(e.Kind, reason) {
			bearers = append(bearers, e)
		}
	}
	left := make([]int64, len(bearers))
	var total int64
	for i, b := range bearers {
		left[i] = b.Amount
		total += b.Amount
	}
	borne := min(amount, total)
	for i, part := range share(borne, left) {
		es.add(bearers[i].Kind, bearers[i].Owner, -part)
	}
	es.add(RefundCost, "", -(amount - borne))
	return Posting{Kind: KindRefund, Reason: reason, Currency: p.Currency, Entries: es.posted()}
}

// bears tells whether accounts of a kind bear a refund for a reason.
func bears(kind AccountKind, reason string) bool {
	switch reason {
	case "missing_item", "wrong_item", "quality", "restaurant_error":
		return kind == Restaurant || kind == Tax
	case "order_reversed", "duplicate":
		return kind != Consumer && kind != RefundCost
	}
	return false
}

// share splits an amount in proportion to weights that are not negative, exactly: each part is rounded down, and the minor units left
// over go one each to the parts that lost most by it, the first of equals. No part exceeds its weight while the amount does not
// exceed their sum. Without weights there are no parts; if all are zero the first gets everything.
func share(amount int64, weights []int64) []int64 {
	parts := make([]int64, len(weights))
	if len(weights) == 0 {
		return parts
	}
	var total uint64
	for _, w := range weights {
		total += uint64(w)
	}
	if total == 0 {
		parts[0] = amount
		return parts
	}
	rest, lost := amount, make([]uint64, len(weights))
	for i, w := range weights {
		hi, lo := bits.Mul64(uint64(amount), uint64(w))
		quotient, remainder := bits.Div64(hi, lo, total)
		parts[i], lost[i] = int64(quotient), remainder
		rest -= parts[i]
	}
	for ; rest > 0; rest-- {
		most := 0
		for i, l := range lost {
			if l > lost[most] {
				most = i
			}
		}
		parts[most]++
		lost[most] = 0
	}
	return parts
}
