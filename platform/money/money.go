package money

import (
	"errors"
	"fmt"
	"math/bits"
	"strconv"
	"strings"

	"kerf/platform/kerfpb"
)

// Max is the largest amount: 2^53 − 1 minor units, exact as a JSON number in every client.
const Max = 1<<53 - 1

// MaxBasisPoints is the largest tax rate: 100 %.
const MaxBasisPoints = 10_000

var (
	// ErrCurrency is arithmetic between two currencies, or an unknown currency code.
	ErrCurrency = errors.New("currencies do not match")
	// ErrRange is an amount beyond Max, in the result or in an operand.
	ErrRange = errors.New("amount out of range")
)

// Money is an amount in the minor units of its currency (cents for EUR). The zero value is no money in no currency: it is
// equal to nothing that has a currency, and no arithmetic takes it.
type Money struct {
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
}

// Zero returns nothing of a currency.
func Zero(currency string) Money { return Money{0, currency} }

// Check tells whether the money is possible: the amount within ±Max, and the currency one of ISO 4217.
func (m Money) Check() error {
	if !KnownCurrency(m.Currency) {
		return fmt.Errorf("%w: %q is no ISO 4217 code", ErrCurrency, m.Currency)
	}
	return inRange(m.Amount)
}

// Add returns m + o, or ErrCurrency or ErrRange.
func (m Money) Add(o Money) (Money, error) { return m.combine(o, o.Amount) }

// Sub returns m − o, which may be negative, or ErrCurrency or ErrRange.
func (m Money) Sub(o Money) (Money, error) { return m.combine(o, -o.Amount) }

func (m Money) combine(o Money, signed int64) (Money, error) {
	if m.Currency != o.Currency || m.Currency == "" {
		return Money{}, fmt.Errorf("%w: %q and %q", ErrCurrency, m.Currency, o.Currency)
	}
	if err := errors.Join(inRange(m.Amount), inRange(o.Amount)); err != nil {
		return Money{}, err
	}
	sum := m.Amount + signed // two amounts within ±2^53 cannot overflow int64
	if err := inRange(sum); err != nil {
		return Money{}, err
	}
	return Money{sum, m.Currency}, nil
}

// Tax returns the tax on one line: m × basisPoints / 10,000, rounded half to even. Rates are 0 to MaxBasisPoints; ErrRange
// otherwise. Lines are rounded one by one and then added, so that a receipt's lines sum to its total.
func (m Money) Tax(basisPoints int64) (Money, error) {
	if basisPoints < 0 || basisPoints > MaxBasisPoints {
		return Money{}, fmt.Errorf("%w: %d basis points", ErrRange, basisPoints)
	}
	if err := inRange(m.Amount); err != nil {
		return Money{}, err
	}
	hi, lo := bits.Mul64(abs(m.Amount), uint64(basisPoints)) // up to 2^53 × 10^4 takes more than 64 bits
	quotient, rest := bits.Div64(hi, lo, MaxBasisPoints)
	const half = MaxBasisPoints / 2
	if rest > half || rest == half && quotient%2 == 1 {
		quotient++
	}
	tax := int64(quotient)
	if m.Amount < 0 {
		tax = -tax
	}
	return Money{tax, m.Currency}, nil
}

// IsZero tells whether the amount is nothing, in whatever currency.
func (m Money) IsZero() bool { return m.Amount == 0 }

// Sum adds amounts of one currency; of none it is Zero(currency).
func Sum(currency string, amounts ...Money) (Money, error) {
	total := Zero(currency)
	for _, a := range amounts {
		var err error
		if total, err = total.Add(a); err != nil {
			return Money{}, err
		}
	}
	return total, nil
}

// String shows minor units and code, such as "1250 EUR": this package does not know how many digits a currency has.
func (m Money) String() string { return strconv.FormatInt(m.Amount, 10) + " " + m.Currency }

// ToProto returns the message that carries m between modules.
func (m Money) ToProto() *kerfpb.Money {
	return &kerfpb.Money{Amount: m.Amount, Currency: m.Currency}
}

// FromProto returns the money of a message, and the zero Money for none. It checks nothing: an owner checks what it is sent.
func FromProto(p *kerfpb.Money) Money {
	return Money{Amount: p.GetAmount(), Currency: p.GetCurrency()}
}

// KnownCurrency tells whether code is an active ISO 4217 code of a currency in which people pay.
func KnownCurrency(code string) bool {
	return len(code) == 3 && code[0] != ' ' && code[1] != ' ' && code[2] != ' ' && strings.Contains(currencies, code)
}

// currencies are the codes of ISO 4217 list one, less funds, metals, bond units and testing codes. The spaces keep a search for
// three letters from matching across two codes.
const currencies = "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CLP CNY COP CRC " +
	"CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HTG HUF IDR ILS INR IQD IRR ISK JMD JOD " +
	"JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO " +
	"NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS " +
	"TMT TND TOP TRY TTD TWD TZS UAH UGX USD UYU UZS VED VES VND VUV WST XAF XCD XCG XOF XPF YER ZAR ZMW ZWG"

func inRange(amount int64) error {
	if amount < -Max || amount > Max {
		return fmt.Errorf("%w: %d", ErrRange, amount)
	}
	return nil
}

func abs(n int64) uint64 {
	if n < 0 {
		return -uint64(n) // right for the smallest int64 too, which has no positive counterpart
	}
	return uint64(n)
}
