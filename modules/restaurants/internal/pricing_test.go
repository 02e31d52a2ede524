package internal

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/fault"
	"kerf/platform/geo"
	"kerf/platform/kerfpb"
	"kerf/platform/money"
)

func eur(amount int64) money.Money { return money.Money{Amount: amount, Currency: "EUR"} }

// trattoria is open round the clock in Vienna, with fees of every kind.
func trattoria() *Restaurant {
	return &Restaurant{
		ID: "r", Name: "Trattoria", Cuisine: "italian", State: Open, MenuVersion: 3, Position: geo.Position{Latitude: 48.2, Longitude: 16.37}, TimeZone: "Europe/Vienna",
		Currency: "EUR", OpeningHours: Hours{Always: true}, RadiusMetres: 3000, TaxBasisPoints: 1000, PreparationMinutes: 15,
		Fees: Fees{Minimum: 1000, DeliveryFee: 250, ServiceFeeBasisPoints: 500, SmallOrderFee: 150, SmallOrderBelow: 1500, CancellationFee: 400},
	}
}

func trattoriaMenu() *Menu {
	return newMenu("r", 3, 0, []Item{
		{ID: "pizza", Name: "Pizza", Price: eur(905), ModifierGroups: []Group{
			{ID: "size", Name: "Size", Min: 1, Max: 1, Options: []Option{{"small", "Small", eur(-200)}, {"large", "Large", eur(300)}}},
			{ID: "extra", Name: "Extra", Min: 0, Max: 2, Options: []Option{{"olives", "Olives", eur(100)}, {"ham", "Ham", eur(150)}, {"egg", "Egg", eur(120)}}},
		}},
		{ID: "water", Name: "Water", Price: eur(0)},
		{ID: "cake", Name: "Cake", Price: eur(505)},
	})
}

func order(lines ...LineRequest) *QuoteRequest {
	return &QuoteRequest{RestaurantID: "0190b6a2-7c5e-7000-8000-000000000001", Lines: lines, Address: &geo.Position{Latitude: 48.21, Longitude: 16.38}}
}

func pizza(quantity int, options ...string) LineRequest {
	l := LineRequest{ItemID: "pizza", Quantity: quantity}
	for _, o := range options {
		group, option, _ := strings.Cut(o, ":")
		l.Options = append(l.Options, OptionRequest{group, option})
	}
	return l
}

func TestAQuoteIsPricedFromTheMenu(t *testing.T) {
	q := order(pizza(2, "size:large", "extra:ham"), LineRequest{ItemID: "cake", Quantity: 1}, LineRequest{ItemID: "water", Quantity: 3})
	tip := eur(200)
	q.Tip = &tip
	quote, err := trattoria().price(trattoriaMenu(), q, time.UTC, noon)
	if err != nil {
		t.Fatal(err)
	}
	// Two pizzas of 13.55 are 27.10, taxed 2.71; the cake's 5.05 is taxed 0.505, which is even at 0.50.
	for name, c := range map[string]struct {
		got  *kerfpb.Money
		want int64
	}{
		"unit price": {quote.GetLines()[0].GetUnitPrice(), 1355}, "line total": {quote.GetLines()[0].GetTotal(), 2710},
		"line tax": {quote.GetLines()[0].GetTax(), 271}, "cake's tax": {quote.GetLines()[1].GetTax(), 50}, "water": {quote.GetLines()[2].GetTotal(), 0},
		"subtotal": {quote.GetSubtotal(), 3215}, "tax": {quote.GetTax(), 321}, "delivery fee": {quote.GetDeliveryFee(), 250},
		"service fee": {quote.GetServiceFee(), 161}, "small order fee": {quote.GetSmallOrderFee(), 0}, "tip": {quote.GetTip(), 200},
		"total": {quote.GetTotal(), 3215 + 321 + 250 + 161 + 200}, "cancellation fee": {quote.GetCancellationFee(), 400},
	} {
		if money.FromProto(c.got) != eur(c.want) {
			t.Errorf("%s is %v, want %d EUR", name, c.got, c.want)
		}
	}
	if quote.GetMenuVersion() != 3 || quote.GetPreparationSeconds() != 900 {
		t.Errorf("menu version %d, preparation %d s", quote.GetMenuVersion(), quote.GetPreparationSeconds())
	}
	if expiry := quote.GetExpiresAt().AsTime(); !expiry.Equal(noon.Add(time.Hour)) {
		t.Errorf("expires at %s", expiry)
	}
	earliest, latest := quote.GetEtaEarliest().AsTime(), quote.GetEtaLatest().AsTime()
	if earliest.Before(noon.Add(19*time.Minute)) || earliest.After(noon.Add(20*time.Minute)) || !latest.After(earliest.Add(etaSlack)) {
		t.Errorf("expected from %s to %s", earliest, latest) // 15 minutes to cook, 1337 m at 5 m/s
	}
}

func TestWhatCannotBeOrderedIsRefusedWithItsReason(t *testing.T) {
	small := []string{"size:small"}
	fine := order(pizza(2, small...))
	for _, c := range []struct {
		name, code, field string
		restaurant        func(*Restaurant)
		request           *QuoteRequest
	}{
		{"a draft", "restaurant_closed", "", func(r *Restaurant) { r.State = Draft }, fine},
		{"a pause", "restaurant_closed", "", func(r *Restaurant) { r.State = Paused }, fine},
		{"after hours", "restaurant_closed", "", func(r *Restaurant) { r.OpeningHours = Hours{} }, fine},
		{"too far", "outside_zone", "address", func(r *Restaurant) { r.RadiusMetres = 1000 }, fine},
		{"an unknown item", "item_unavailable", "lines[1].item_id", nil, order(pizza(2, small...), LineRequest{ItemID: "pasta", Quantity: 1})},
		{"an item that is out", "item_unavailable", "lines[0].item_id", func(r *Restaurant) { r.Unavailable = Unavailable{"pizza": 0} }, fine},
		{"too little", "below_minimum", "lines", nil, order(pizza(1, small...))},
		{"nothing of a group that needs one", "invalid", "lines[0].options", nil, order(pizza(2))},
		{"too many of a group", "invalid", "lines[0].options", nil, order(pizza(2, "size:small", "size:large"))},
		{"more extras than two", "invalid", "lines[0].options", nil, order(pizza(2, "size:small", "extra:ham", "extra:egg", "extra:olives"))},
		{"an option twice", "invalid", "lines[0].options[2]", nil, order(pizza(2, "size:small", "extra:ham", "extra:ham"))},
		{"an unknown option", "invalid", "lines[0].options[1]", nil, order(pizza(2, "size:small", "extra:gold"))},
		{"an option of another group", "invalid", "lines[0].options[1]", nil, order(pizza(2, "size:small", "extra:large"))},
		{"an option of an item without any", "invalid", "lines[0].options[0]", nil, order(LineRequest{ItemID: "cake", Quantity: 9, Options: []OptionRequest{{"size", "small"}}})},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := trattoria()
			if c.restaurant != nil {
				c.restaurant(r)
			}
			_, err := r.price(trattoriaMenu(), c.request, time.UTC, noon)
			if code(err) != c.code || c.field != "" && !slices.Contains(fields(err), c.field) {
				t.Errorf("%v; want %s naming %s", err, c.code, c.field)
			}
		})
	}
}

func TestATipIsNoMoreThanTheSubtotalAndInItsCurrency(t *testing.T) {
	for _, c := range []struct {
		tip   money.Money
		field string
	}{{eur(1411), "tip.amount"}, {money.Money{Amount: 1, Currency: "USD"}, "tip.currency"}, {eur(1410), ""}} {
		q := order(pizza(2, "size:small"))
		q.Tip = &c.tip
		_, err := trattoria().price(trattoriaMenu(), q, time.UTC, noon)
		if got := strings.Join(fields(err), " "); got != c.field {
			t.Errorf("tip %s: %v", c.tip, err)
		}
	}
}

func TestTheCancellationFeeIsAtMostTheTotal(t *testing.T) {
	r := trattoria()
	r.Fees = Fees{CancellationFee: 5000}
	quote, err := r.price(trattoriaMenu(), order(LineRequest{ItemID: "cake", Quantity: 1}), time.UTC, noon)
	if err != nil || quote.GetCancellationFee().GetAmount() != quote.GetTotal().GetAmount() {
		t.Errorf("%v, %v", quote, err)
	}
}

func TestAMalformedRequestIsInvalidAndNamesEachField(t *testing.T) {
	tip := money.Money{Amount: -1, Currency: "EUR"}
	q := &QuoteRequest{Address: &geo.Position{Latitude: 91, Longitude: 0}, Tip: &tip, Lines: []LineRequest{{ItemID: "", Quantity: 1}, {ItemID: "cake", Quantity: 0}, {ItemID: "cake", Quantity: 100},
		{ItemID: "cake", Quantity: 1, Options: make([]OptionRequest, maxLineOptions+1)}}}
	want := []string{"restaurant_id", "address", "lines[0].item_id", "lines[1].quantity", "lines[2].quantity", "lines[3].options", "tip.amount"}
	if got := fields(q.validate()); !slices.Equal(got, want) {
		t.Errorf("violations of %v, want %v", got, want)
	}
	for _, n := range []int{0, maxLines + 1} {
		q := order(slices.Repeat([]LineRequest{{ItemID: "cake", Quantity: 1}}, n)...)
		if got := fields(q.validate()); !slices.Equal(got, []string{"lines"}) {
			t.Errorf("%d lines: %v", n, got)
		}
	}
}

func TestAnOrderableQuoteIsCheckedAgainstTheRestaurantOfTheMoment(t *testing.T) {
	quote, err := trattoria().price(trattoriaMenu(), order(pizza(2, "size:small")), time.UTC, noon)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, code string
		after      time.Duration
		change     func(*Restaurant)
		menu       *Menu
	}{
		{"at once", "", 0, nil, nil},
		{"to the last moment", "", time.Hour - time.Microsecond, nil, nil},
		{"dearer now", "", 0, func(r *Restaurant) { r.Fees.DeliveryFee = 900 }, nil},
		{"after an hour", "quote_expired", time.Hour, nil, nil},
		{"closed meanwhile", "restaurant_closed", 0, func(r *Restaurant) { r.State = Closed }, nil},
		{"a smaller zone", "outside_zone", 0, func(r *Restaurant) { r.RadiusMetres = 10 }, nil},
		{"a higher minimum", "below_minimum", 0, func(r *Restaurant) { r.Fees.Minimum = 2000 }, nil},
		{"out meanwhile", "item_unavailable", 0, func(r *Restaurant) { r.Unavailable = Unavailable{"pizza": 0} }, nil},
		{"off the menu", "item_unavailable", 0, nil, newMenu("r", 4, 0, []Item{{ID: "cake", Name: "Cake", Price: eur(505)}})},
	} {
		r, menu := trattoria(), trattoriaMenu()
		if c.change != nil {
			c.change(r)
		}
		if c.menu != nil {
			menu = c.menu
		}
		if err := r.orderable(quote, menu, time.UTC, noon.Add(c.after)); code(err) != c.code {
			t.Errorf("%s: %v, want %q", c.name, err, c.code)
		}
	}
}

// TestQuotesAddUpAndAreNeverNegative prices random orders from random menus: whatever the menu's rules let through.
func TestQuotesAddUpAndAreNeverNegative(t *testing.T) {
	random, priced := rand.New(rand.NewPCG(5, 6)), 0
	for range 20_000 {
		items := randomItems(random)
		if len(menuViolations(items, "EUR")) > 0 {
			continue
		}
		r := trattoria()
		r.TaxBasisPoints = random.Int64N(money.MaxBasisPoints + 1)
		r.Fees = Fees{0, randomAmount(random), random.Int64N(money.MaxBasisPoints + 1), randomAmount(random), randomAmount(random), randomAmount(random)}
		quote, err := r.price(newMenu("r", 1, 0, items), randomOrder(random, items), time.UTC, noon)
		if err != nil {
			if k := fault.KindOf(err); k != fault.KindInvalid && k != fault.KindRefused {
				t.Fatal(err)
			}
			continue
		}
		priced++
		if problem := imbalance(quote); problem != "" {
			text, _ := json.Marshal(quote)
			t.Fatalf("%s: %s", problem, text)
		}
	}
	if priced < 2000 {
		t.Errorf("only %d orders were priced, too few to say anything", priced)
	}
}

// imbalance says what is wrong with a quote's sums, independently of how they were made.
func imbalance(q *restaurantsapi.Quote) string {
	var subtotal, tax int64
	for i, l := range q.GetLines() {
		if l.GetUnitPrice().GetAmount() < 0 || l.GetTax().GetAmount() < 0 {
			return fmt.Sprintf("line %d is negative", i)
		}
		if l.GetTotal().GetAmount() != l.GetUnitPrice().GetAmount()*int64(l.GetQuantity()) {
			return fmt.Sprintf("line %d does not multiply", i)
		}
		subtotal += l.GetTotal().GetAmount()
		tax += l.GetTax().GetAmount()
	}
	total := int64(0)
	for _, m := range []*kerfpb.Money{q.GetSubtotal(), q.GetTax(), q.GetDeliveryFee(), q.GetServiceFee(), q.GetSmallOrderFee(), q.GetTip()} {
		if m.GetAmount() < 0 || m.GetCurrency() != q.GetTotal().GetCurrency() {
			return fmt.Sprintf("%v is negative or of another currency", m)
		}
		total += m.GetAmount()
	}
	switch fee := q.GetCancellationFee().GetAmount(); {
	case subtotal != q.GetSubtotal().GetAmount() || tax != q.GetTax().GetAmount():
		return "the lines do not add up"
	case total != q.GetTotal().GetAmount() || total > money.Max:
		return "the total does not add up"
	case fee < 0 || fee > total:
		return "the cancellation fee is beyond the total"
	case q.GetEtaLatest().AsTime().Before(q.GetEtaEarliest().AsTime()):
		return "it arrives before it arrives"
	}
	return ""
}

func randomAmount(random *rand.Rand) int64 {
	if random.IntN(5) == 0 {
		return random.Int64N(maxAmount + 1)
	}
	return random.Int64N(3000)
}

func randomItems(random *rand.Rand) []Item {
	items := make([]Item, 1+random.IntN(4))
	for i := range items {
		items[i] = Item{Name: "Dish", Price: eur(randomAmount(random))}
		for g := range random.IntN(3) {
			group := Group{ID: fmt.Sprintf("g%d", g), Name: "Group", Min: random.IntN(2), Max: 1 + random.IntN(2)}
			for o := range 2 + random.IntN(3) {
				group.Options = append(group.Options, Option{fmt.Sprintf("o%d", o), "Option", eur(randomAmount(random)/4 - random.Int64N(600))})
			}
			items[i].ModifierGroups = append(items[i].ModifierGroups, group)
		}
	}
	return items
}

func randomOrder(random *rand.Rand, items []Item) *QuoteRequest {
	q := order()
	for range 1 + random.IntN(6) {
		item := items[random.IntN(len(items))]
		l := LineRequest{ItemID: cmpOr(item.ID, "dish"), Quantity: 1 + random.IntN(maxQuantity)}
		for _, g := range item.ModifierGroups {
			for _, o := range random.Perm(len(g.Options))[:g.Min+random.IntN(g.Max-g.Min+1)] {
				l.Options = append(l.Options, OptionRequest{g.ID, g.Options[o].ID})
			}
		}
		q.Lines = append(q.Lines, l)
	}
	if random.IntN(2) == 0 {
		tip := eur(randomAmount(random))
		q.Tip = &tip
	}
	return q
}

func cmpOr(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

// FuzzQuoteRequest reads any body: a request is refused, or it is priced with sums that add up; nothing panics.
func FuzzQuoteRequest(f *testing.F) {
	for _, seed := range []string{
		`{"restaurant_id":"r","lines":[{"item_id":"pizza","quantity":2,"options":[{"group_id":"size","option_id":"small"}]}],"address":{"latitude":48.2,"longitude":16.37}}`,
		`{"restaurant_id":"r","lines":[{"item_id":"cake","quantity":99}],"address":{"latitude":48.2,"longitude":16.37},"tip":{"amount":100,"currency":"EUR"}}`,
		`{"lines":[{"quantity":-1}],"address":{"latitude":1e999,"longitude":0},"tip":{"amount":-9007199254740993,"currency":""}}`,
		`{"lines":null,"address":null,"tip":null}`, `[]`, `{"lines":[{"item_id":"cake","quantity":9223372036854775807}]}`,
	} {
		f.Add([]byte(seed))
	}
	r, menu := trattoria(), trattoriaMenu()
	f.Fuzz(func(t *testing.T, body []byte) {
		var q QuoteRequest
		if json.Unmarshal(body, &q) != nil {
			return
		}
		err := q.validate()
		if err == nil {
			var quote *restaurantsapi.Quote
			if quote, err = r.price(menu, &q, time.UTC, noon); err == nil {
				if problem := imbalance(quote); problem != "" {
					t.Fatal(problem)
				}
				return
			}
		}
		if k := fault.KindOf(err); k != fault.KindInvalid && k != fault.KindRefused {
			t.Fatal(err)
		}
	})
}

func BenchmarkPrice(b *testing.B) {
	r, menu, q := trattoria(), trattoriaMenu(), order(pizza(2, "size:large", "extra:ham"), LineRequest{ItemID: "cake", Quantity: 1}, LineRequest{ItemID: "water", Quantity: 3})
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.price(menu, q, time.UTC, noon); err != nil {
			b.Fatal(err)
		}
	}
}
