package money_test

import (
	"encoding/json"
	"errors"
	"math"
	"math/big"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kerf/platform/fault"
	"kerf/platform/kerfpb"
	"kerf/platform/money"
)

func eur(amount int64) money.Money { return money.Money{Amount: amount, Currency: "EUR"} }

func TestTaxRoundsHalfToEven(t *testing.T) {
	for _, row := range []struct{ amount, basisPoints, want int64 }{
		{1000, 825, 82},  // 82.5 → 82
		{1400, 825, 116}, // 115.5 → 116
		{1001, 825, 83},  // 82.58
		{999, 825, 82},   // 82.42
		{5, 1000, 0},     // 0.5 → 0
		{15, 1000, 2},    // 1.5 → 2
		{25, 1000, 2},    // 2.5 → 2
		{-25, 1000, -2},
		{-15, 1000, -2},
		{0, 1900, 0},
		{1234, 0, 0},
		{1234, 10_000, 1234},
		{money.Max, 10_000, money.Max},
	} {
		got, err := eur(row.amount).Tax(row.basisPoints)
		if err != nil || got != eur(row.want) {
			t.Errorf("%d at %d basis points: %v, %v, want %d", row.amount, row.basisPoints, got, err, row.want)
		}
	}
	for _, rate := range []int64{-1, 10_001, math.MaxInt64, math.MinInt64} {
		if _, err := eur(100).Tax(rate); !errors.Is(err, money.ErrRange) {
			t.Errorf("%d basis points: %v", rate, err)
		}
	}
}

// Against arbitrary precision, over amounts that are near the edges as often as in between.
func TestArithmeticIsExactOrRefused(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 50_000 {
		a, b, rate := amount(r), amount(r), r.Int64N(money.MaxBasisPoints+1)
		A, B := big.NewInt(a), big.NewInt(b)
		for name, operation := range map[string]struct {
			got  func() (money.Money, error)
			want *big.Int
		}{
			"add": {func() (money.Money, error) { return eur(a).Add(eur(b)) }, new(big.Int).Add(A, B)},
			"sub": {func() (money.Money, error) { return eur(a).Sub(eur(b)) }, new(big.Int).Sub(A, B)},
			"tax": {func() (money.Money, error) { return eur(a).Tax(rate) }, halfEven(new(big.Int).Mul(A, big.NewInt(rate)), 10_000)},
		} {
			operandsFit := fits(A) && (name == "tax" || fits(B))
			got, err := operation.got()
			if !operandsFit || !fits(operation.want) {
				if !errors.Is(err, money.ErrRange) {
					t.Fatalf("%s of %d and %d (rate %d): %v, %v, want ErrRange", name, a, b, rate, got, err)
				}
				continue
			}
			if err != nil || got != eur(operation.want.Int64()) {
				t.Fatalf("%s of %d and %d (rate %d): %v, %v, want %v", name, a, b, rate, got, err, operation.want)
			}
		}
	}
}

func amount(r *rand.Rand) int64 {
	edges := []int64{0, 1, -1, money.Max, -money.Max, money.Max + 1, -money.Max - 1, math.MaxInt64, math.MinInt64, money.Max / 2, 1 << 26}
	if r.IntN(3) == 0 {
		return edges[r.IntN(len(edges))]
	}
	n := r.Int64() >> r.IntN(63)
	if r.IntN(2) == 0 {
		return -n
	}
	return n
}

func fits(n *big.Int) bool { return n.CmpAbs(big.NewInt(money.Max)) <= 0 }

// halfEven divides as Tax must, written over the whole numbers on both sides.
func halfEven(n *big.Int, d int64) *big.Int {
	D := big.NewInt(d)
	floor, rest := new(big.Int).DivMod(n, D, new(big.Int)) // Euclidean: rest is 0 to d−1
	switch twice := new(big.Int).Lsh(rest, 1); twice.Cmp(D) {
	case 1:
		floor.Add(floor, big.NewInt(1))
	case 0:
		floor.Add(floor, big.NewInt(int64(floor.Bit(0))))
	}
	return floor
}

func TestCurrenciesDoNotMix(t *testing.T) {
	usd := money.Money{Amount: 1, Currency: "USD"}
	for name, err := range map[string]error{
		"add":               second(eur(1).Add(usd)),
		"sub":               second(eur(1).Sub(usd)),
		"sum":               second(money.Sum("EUR", eur(1), usd)),
		"add to no money":   second(money.Money{}.Add(eur(1))),
		"add no money":      second(money.Money{}.Add(money.Money{})),
		"a made-up one":     money.Money{Amount: 1, Currency: "EEE"}.Check(),
		"across two codes":  money.Money{Amount: 1, Currency: "D A"}.Check(),
		"lower case":        money.Money{Amount: 1, Currency: "eur"}.Check(),
		"none":              money.Money{Amount: 1, Currency: ""}.Check(),
		"the testing code":  money.Money{Amount: 1, Currency: "XTS"}.Check(),
		"longer than three": money.Money{Amount: 1, Currency: "EUR GBP"}.Check(),
	} {
		if !errors.Is(err, money.ErrCurrency) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if got, err := money.Sum("EUR", eur(1), eur(2), eur(-4)); err != nil || got != eur(-1) {
		t.Errorf("Sum() = %v, %v", got, err)
	}
}

func second[T any](_ T, err error) error { return err }

func TestMoneyIsAnObjectOfExactIntegersInJSON(t *testing.T) {
	for _, m := range []money.Money{eur(0), eur(-1250), eur(money.Max), eur(-money.Max)} {
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var got money.Money
		if err := json.Unmarshal(b, &got); err != nil || got != m {
			t.Errorf("%s: %v, %v", b, got, err)
		}
	}
	if b, _ := json.Marshal(eur(1250)); string(b) != `{"amount":1250,"currency":"EUR"}` {
		t.Errorf("json = %s", b)
	}
	if b, err := json.Marshal(eur(money.Max + 1)); !errors.Is(err, money.ErrRange) {
		t.Errorf("an amount that no client reads exactly was written: %s, %v", b, err)
	}
}

func TestJSONThatIsNotMoneyNamesTheMember(t *testing.T) {
	for text, field := range map[string]string{
		`"12.50 EUR"`: "", `null`: "", `[]`: "",
		`{"amount":1,"currency":"EUR","cents":2}`:          "cents",
		`{"currency":"EUR"}`:                               "amount",
		`{"amount":null,"currency":"EUR"}`:                 "amount",
		`{"amount":12.5,"currency":"EUR"}`:                 "amount",
		`{"amount":1e3,"currency":"EUR"}`:                  "amount",
		`{"amount":"1250","currency":"EUR"}`:               "amount",
		`{"amount":9007199254740992,"currency":"EUR"}`:     "amount",
		`{"amount":99999999999999999999,"currency":"EUR"}`: "amount",
		`{"amount":1}`:                   "currency",
		`{"amount":1,"currency":"euro"}`: "currency",
		`{"amount":1,"currency":7}`:      "currency",
	} {
		got := eur(1)
		err := got.UnmarshalJSON([]byte(text))
		f := fault.As(err)
		if f == nil || f.Kind != fault.KindInvalid || len(f.Violations) != 1 || f.Violations[0].Field != field {
			t.Errorf("%s: %v", text, err)
		}
		if got != eur(1) {
			t.Errorf("%s: changed what it could not read into: %v", text, got)
		}
	}
}

func FuzzJSON(f *testing.F) {
	f.Add(`{"amount":1250,"currency":"EUR"}`)
	f.Add(`{"amount":-9007199254740991,"currency":"JPY"}`)
	f.Add(`{"amount":1.0,"currency":"EUR"}`)
	f.Fuzz(func(t *testing.T, text string) {
		var m money.Money
		if json.Unmarshal([]byte(text), &m) != nil {
			return
		}
		if text != "null" && m.Check() != nil { // encoding/json leaves the value alone at null
			t.Fatalf("%q was read as %v, which is not possible: %v", text, m, m.Check())
		}
		b, err := json.Marshal(m)
		if err != nil {
			t.Fatal(err)
		}
		var again money.Money
		if text != "null" && (json.Unmarshal(b, &again) != nil || again != m) {
			t.Fatalf("%q → %v → %s → %v", text, m, b, again)
		}
	})
}

func TestMoneyCrossesAsAMessage(t *testing.T) {
	if diff := cmp.Diff(eur(-7), money.FromProto(eur(-7).ToProto())); diff != "" {
		t.Error(diff)
	}
	if got := money.FromProto((*kerfpb.Money)(nil)); got != (money.Money{}) {
		t.Errorf("no message is %v", got)
	}
	if got := eur(-7); got.IsZero() || !money.Zero("EUR").IsZero() || got.String() != "-7 EUR" {
		t.Errorf("got %v", got)
	}
}
