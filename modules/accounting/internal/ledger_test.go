package internal

import (
	"context"
	"math/rand/v2"
	"slices"
	"testing"

	"kerf/platform/database"
	"kerf/platform/ids"
	"kerf/platform/money"
)

func TestSharesAreExactAndNeverExceedTheirWeights(t *testing.T) {
	for _, tt := range []struct {
		amount  int64
		weights []int64
		want    []int64
	}{
		{100, []int64{1, 1, 1}, []int64{34, 33, 33}},
		{1, []int64{1, 2, 1}, []int64{0, 1, 0}},
		{10, []int64{0, 10, 0}, []int64{0, 10, 0}},
		{7, []int64{0, 0}, []int64{7, 0}},
		{0, []int64{3, 4}, []int64{0, 0}},
		{money.Max, []int64{money.Max, money.Max}, []int64{money.Max/2 + 1, money.Max / 2}},
	} {
		if got := share(tt.amount, tt.weights); !slices.Equal(got, tt.want) {
			t.Errorf("%d over %v is %v, want %v", tt.amount, tt.weights, got, tt.want)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20_000 {
		weights := make([]int64, 1+random.IntN(7))
		var total int64
		for i := range weights {
			weights[i] = random.Int64N(1 << random.IntN(48))
			total += weights[i]
		}
		if total == 0 {
			continue
		}
		amount := random.Int64N(total + 1)
		var sum int64
		for i, part := range share(amount, weights) {
			sum += part
			exact := float64(amount) * float64(weights[i]) / float64(total)
			if part < 0 || part > weights[i] || float64(part) < exact-1.01 || float64(part) > exact+1.01 {
				t.Fatalf("%d over %v gives %d for %d", amount, weights, part, weights[i])
			}
		}
		if sum != amount {
			t.Fatalf("%d over %v sums to %d", amount, weights, sum)
		}
	}
}

func aCharge() *Payment {
	return &Payment{OrderID: "o", ConsumerID: "diner", RestaurantID: "cook", Currency: "EUR", Authorized: total,
		Breakdown: Breakdown{Subtotal: 1000, Tax: 70, DeliveryFee: 250, ServiceFee: 110, SmallOrderFee: 50, Tip: 120}}
}

func TestWhoGetsWhatOfACharge(t *testing.T) {
	diner := func(amount int64) Entry { return Entry{Account{Consumer, "diner"}, amount} }
	cook := func(amount int64) Entry { return Entry{Account{Restaurant, "cook"}, amount} }
	for name, tt := range map[string]struct {
		amount  int64
		purpose Purpose
		courier string
		want    []Entry
	}{
		"an order": {total, ForOrder, "rider", []Entry{diner(-1600), cook(1000), {Account{Tax, ""}, 70},
			{Account{PlatformFee, ""}, 160}, {Account{Courier, "rider"}, 370}}},
		"an order without a courier": {total, ForOrder, "", []Entry{diner(-1600), cook(1120), {Account{Tax, ""}, 70},
			{Account{PlatformFee, ""}, 410}}},
		"half an order": {total / 2, ForOrder, "rider", []Entry{diner(-800), cook(500), {Account{Tax, ""}, 35},
			{Account{PlatformFee, ""}, 80}, {Account{Courier, "rider"}, 185}}},
		"a cancellation fee": {400, ForCancellationFee, "", []Entry{diner(-400), cook(400)}},
	} {
		got := CapturePosting(aCharge(), tt.amount, tt.purpose, tt.courier)
		if !slices.Equal(got.Entries, tt.want) || got.Check() != nil {
			t.Errorf("%s: %v (%v), want %v", name, got.Entries, got.Check(), tt.want)
		}
	}
}

func TestWhoBearsARefund(t *testing.T) {
	p := aCharge()
	earned := CapturePosting(p, total, ForOrder, "rider").Entries
	diner := func(amount int64) Entry { return Entry{Account{Consumer, "diner"}, amount} }
	for name, tt := range map[string]struct {
		amount int64
		reason string
		want   []Entry
	}{
		"goodwill": {300, "late", []Entry{diner(300), {Account{RefundCost, ""}, -300}}},
		"the restaurant's fault": {535, "missing_item", []Entry{diner(535), {Account{Restaurant, "cook"}, -500},
			{Account{Tax, ""}, -35}}},
		"more than the restaurant earned": {1100, "quality", []Entry{diner(1100), {Account{Restaurant, "cook"}, -1000},
			{Account{Tax, ""}, -70}, {Account{RefundCost, ""}, -30}}},
		"the order undone": {total, "order_reversed", []Entry{diner(1600), {Account{Restaurant, "cook"}, -1000}, {Account{Tax, ""}, -70},
			{Account{PlatformFee, ""}, -160}, {Account{Courier, "rider"}, -370}}},
	} {
		got := RefundPosting(p, tt.amount, tt.reason, earned)
		if !slices.Equal(got.Entries, tt.want) || got.Check() != nil {
			t.Errorf("%s: %v (%v), want %v", name, got.Entries, got.Check(), tt.want)
		}
	}
}

// Whatever is charged and given back, for whatever reason and in however small parts: every posting sums to zero, nobody but the
// platform is left with a debt, and the diner's account says exactly what was charged and not given back.
func TestTheBooksStayExactThroughRandomOperations(t *testing.T) {
	random := rand.New(rand.NewPCG(3, 4))
	reasons := []string{"late", "missing_item", "wrong_item", "quality", "restaurant_error", "order_reversed", "duplicate", "damaged"}
	for range 3000 {
		b := Breakdown{Subtotal: 1 + random.Int64N(9000), Tax: random.Int64N(900), DeliveryFee: random.Int64N(500),
			ServiceFee: random.Int64N(300), SmallOrderFee: random.Int64N(200), Tip: random.Int64N(400)}
		p := aCharge()
		p.Breakdown = b
		p.Authorized = b.Subtotal + b.Tax + b.DeliveryFee + b.ServiceFee + b.SmallOrderFee + b.Tip
		amount, purpose := p.Authorized, ForOrder
		if random.IntN(4) == 0 {
			amount, purpose = 1+random.Int64N(p.Authorized), ForCancellationFee
		}
		account := map[Account]int64{}
		book := func(posting Posting) {
			if err := posting.Check(); err != nil {
				t.Fatalf("%v: %v", posting, err)
			}
			for _, e := range posting.Entries {
				account[e.Account] += e.Amount
			}
		}
		book(CapturePosting(p, amount, purpose, []string{"rider", ""}[random.IntN(2)]))
		left := amount
		for range random.IntN(6) {
			if left == 0 {
				break
			}
			back := 1 + random.Int64N(left)
			left -= back
			book(RefundPosting(p, back, reasons[random.IntN(len(reasons))], listed(account)))
		}
		if account[Account{Consumer, "diner"}] != -left {
			t.Fatalf("the diner has %d, and has paid %d", account[Account{Consumer, "diner"}], left)
		}
		for a, balance := range account {
			if balance < 0 && a.Kind != Consumer && a.Kind != RefundCost {
				t.Fatalf("%v is left with %d", a, balance)
			}
		}
	}
}

func listed(account map[Account]int64) []Entry {
	var list []Entry
	for a, amount := range account {
		list = append(list, Entry{a, amount})
	}
	return list
}

func TestTheDatabaseRefusesWhatWouldMakeMoney(t *testing.T) {
	b := open(t)
	o := b.captured("tok_approve")
	posting := ids.New()
	entry := func(tx *database.Tx, line, amount int64, currency string) error {
		_, err := tx.Exec(insertEntry, posting, line, "tax", "", amount, currency)
		return err
	}
	seal := func(tx *database.Tx) error {
		_, err := tx.Exec(insertPosting, posting, ids.New(), "refund", posting, "late", 1)
		return err
	}
	for name, f := range map[string]func(tx *database.Tx) error{
		"unbalanced":          func(tx *database.Tx) error { _ = entry(tx, 0, 5, "EUR"); _ = entry(tx, 1, -4, "EUR"); return seal(tx) },
		"across currencies":   func(tx *database.Tx) error { _ = entry(tx, 0, 5, "EUR"); _ = entry(tx, 1, -5, "USD"); return seal(tx) },
		"empty":               seal,
		"entries unsealed":    func(tx *database.Tx) error { return entry(tx, 0, 5, "EUR") },
		"an entry of nothing": func(tx *database.Tx) error { return entry(tx, 0, 0, "EUR") },
		"an entry changed":    func(tx *database.Tx) error { _, err := tx.Exec(`UPDATE entry SET amount = amount + 1`); return err },
		"an entry taken out":  func(tx *database.Tx) error { _, err := tx.Exec(`DELETE FROM entry`); return err },
		"a posting changed":   func(tx *database.Tx) error { _, err := tx.Exec(`UPDATE posting SET order_id = 'x'`); return err },
		"a posting taken out": func(tx *database.Tx) error { _, err := tx.Exec(`DELETE FROM posting`); return err },
		"a posting added to":  func(tx *database.Tx) error { posting = b.postingOf(o); return entry(tx, 9, 5, "EUR") },
		"a second charge":     func(tx *database.Tx) error { return book(tx, o.id, aSecondCharge(), noon) },
		"more than authorised": func(tx *database.Tx) error {
			_, err := tx.Exec(`UPDATE payment SET captured = authorized + 1`)
			return err
		},
		"more than charged": func(tx *database.Tx) error {
			_, err := tx.Exec(`UPDATE payment SET refunded = captured + 1`)
			return err
		},
	} {
		posting = ids.New()
		err := b.db.Write(b.ctx, func(_ context.Context, tx *database.Tx) error { return f(tx) })
		if err == nil {
			t.Errorf("%s: the database let it pass", name)
		}
	}
	b.wantBooks(total, 0, 0)
}

func (b *bank) postingOf(o order) (id string) {
	b.t.Helper()
	if err := b.db.QueryRow(context.Background(), `SELECT id FROM posting WHERE order_id = ?`, o.id).Scan(&id); err != nil {
		b.t.Error(err)
	}
	return id
}

func aSecondCharge() Posting {
	p := CapturePosting(aCharge(), total, ForOrder, "rider")
	p.Reference = "another"
	return p
}
