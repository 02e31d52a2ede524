package money

import (
	"encoding/json"
	"strconv"

	"kerf/platform/fault"
)

// MarshalJSON writes {"amount":1250,"currency":"EUR"}, and fails with ErrRange for an amount that a client could not read exactly.
func (m Money) MarshalJSON() ([]byte, error) {
	if err := inRange(m.Amount); err != nil {
		return nil, err
	}
	b := make([]byte, 0, 48)
	b = append(b, `{"amount":`...)
	b = strconv.AppendInt(b, m.Amount, 10)
	b = append(b, `,"currency":`...)
	b = strconv.AppendQuote(b, m.Currency) // codes are letters; anything else fails Check before it gets here
	return append(b, '}'), nil
}

// UnmarshalJSON reads what MarshalJSON writes and nothing more: both members, an integer within ±Max, a known currency. It answers
// with Invalid, whose violations name the member.
func (m *Money) UnmarshalJSON(data []byte) error {
	var raw map[string]json.RawMessage
	if err := json.Unmarshal(data, &raw); err != nil || raw == nil {
		return violation("", "must be an object with amount and currency")
	}
	for name := range raw {
		if name != "amount" && name != "currency" {
			return violation(name, "is not known")
		}
	}
	amount, err := strconv.ParseInt(string(raw["amount"]), 10, 64)
	if err != nil || inRange(amount) != nil {
		return violation("amount", "must be an integer of minor units, at most 2^53 - 1")
	}
	var currency string
	if err := json.Unmarshal(raw["currency"], &currency); err != nil || !KnownCurrency(currency) {
		return violation("currency", "must be an ISO 4217 code such as EUR")
	}
	*m = Money{amount, currency}
	return nil
}

func violation(field, description string) error {
	return fault.Invalid(fault.Violation{Field: field, Description: description})
}
