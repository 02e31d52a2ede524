package internal

import (
	"slices"
	"strings"
	"testing"

	"kerf/platform/money"
)

func TestItemsGetIDsFromTheirNames(t *testing.T) {
	m := newMenu("r", 1, 0, []Item{{Name: "Pizza Margherita"}, {Name: "Pizza  margherita!"}, {Name: "Ünï"}, {Name: "寿司"}, {ID: "item-2", Name: "Taken"}, {Name: "刺身"},
		{Name: strings.Repeat("long ", 20)}})
	var ids []string
	for i := range m.Items {
		ids = append(ids, m.Items[i].ID)
		if m.Item(m.Items[i].ID) != &m.Items[i] || len(m.Items[i].ID) > maxID || !slug.MatchString(m.Items[i].ID) {
			t.Errorf("id %q of %q", m.Items[i].ID, m.Items[i].Name)
		}
	}
	want := []string{"pizza-margherita", "pizza-margherita-2", "n", "item", "item-2", "item-3"}
	if !slices.Equal(ids[:6], want) {
		t.Errorf("ids %q, want %q", ids, want)
	}
	if m.Item("nothing") != nil {
		t.Error("an unknown id is found")
	}
}

func TestAMenuThatMakesNoSenseIsRefusedByName(t *testing.T) {
	item := func(change func(*Item)) []Item {
		i := Item{ID: "a", Name: "A", Price: eur(100), ModifierGroups: []Group{{ID: "g", Name: "G", Max: 1, Options: []Option{{"o", "O", eur(10)}, {"p", "P", eur(20)}}}}}
		change(&i)
		return []Item{i}
	}
	for _, c := range []struct {
		field string
		items []Item
	}{
		{"items", nil},
		{"items", make([]Item, maxItems+1)},
		{"items[0].id", item(func(i *Item) { i.ID = "No Slug" })},
		{"items[1].id", append(item(func(*Item) {}), item(func(*Item) {})...)},
		{"items[0].name", item(func(i *Item) { i.Name = "" })},
		{"items[0].name", item(func(i *Item) { i.Name = "a\x00b" })},
		{"items[0].name", item(func(i *Item) { i.Name = strings.Repeat("ü", maxName+1) })},
		{"items[0].description", item(func(i *Item) { i.Description = " x" })},
		{"items[0].price.amount", item(func(i *Item) { i.Price.Amount = -1 })},
		{"items[0].price.amount", item(func(i *Item) { i.Price.Amount = maxAmount + 1 })},
		{"items[0].price.currency", item(func(i *Item) { i.Price.Currency = "USD" })},
		{"items[0].price", item(func(i *Item) { i.ModifierGroups[0].Options[0].PriceDelta.Amount = -101 })},
		{"items[0].modifier_groups", item(func(i *Item) { i.ModifierGroups = make([]Group, maxGroups+1) })},
		{"items[0].modifier_groups[0].min", item(func(i *Item) { i.ModifierGroups[0].Min = 2 })},
		{"items[0].modifier_groups[0].min", item(func(i *Item) { i.ModifierGroups[0].Min = -1 })},
		{"items[0].modifier_groups[0].max", item(func(i *Item) { i.ModifierGroups[0].Max = 3 })},
		{"items[0].modifier_groups[0].max", item(func(i *Item) { i.ModifierGroups[0].Max = 0 })},
		{"items[0].modifier_groups[0].options", item(func(i *Item) { i.ModifierGroups[0].Options = nil })},
		{"items[0].modifier_groups[1].id", item(func(i *Item) { i.ModifierGroups = append(i.ModifierGroups, i.ModifierGroups[0]) })},
		{"items[0].modifier_groups[0].options[1].id", item(func(i *Item) { i.ModifierGroups[0].Options[1].ID = "o" })},
		{"items[0].modifier_groups[0].options[0].price_delta.currency", item(func(i *Item) { i.ModifierGroups[0].Options[0].PriceDelta = money.Money{} })},
	} {
		if got := fields(menuViolations(c.items, "EUR").Err()); !slices.Contains(got, c.field) {
			t.Errorf("violations of %v, want one of %s", got, c.field)
		}
	}
	if v := menuViolations(item(func(*Item) {}), "EUR"); len(v) > 0 {
		t.Errorf("a good menu has %v", v)
	}
}

func TestTheCheapestChoiceOfAGroupKeepsItsRules(t *testing.T) {
	for _, c := range []struct {
		min, max int
		deltas   []int64
		want     int64
	}{
		{0, 1, []int64{-5, -7, 3}, -7}, {0, 2, []int64{-5, -7, 3}, -12}, {0, 3, []int64{-5, -7, 3}, -12},
		{3, 3, []int64{-5, -7, 3}, -9}, {1, 1, []int64{4, 3}, 3}, {0, 1, []int64{4, 3}, 0},
	} {
		g := Group{Min: c.min, Max: c.max}
		for _, d := range c.deltas {
			g.Options = append(g.Options, Option{PriceDelta: eur(d)})
		}
		if got := g.cheapest(); got != c.want {
			t.Errorf("%+v: %d", c, got)
		}
	}
}

func TestTheMenusInMemoryAreBoundedAndThoseInUseStay(t *testing.T) {
	c, often := newMenuCache(1000), menuKey{"often", 1}
	c.put(often, &Menu{Version: 1}, 10)
	for n := range int64(1000) {
		c.put(menuKey{"seldom", n}, &Menu{Version: n}, 100)
		if c.get(often) == nil {
			t.Fatalf("forgotten after %d others", n+1)
		}
		if kept := len(c.young) + len(c.old); kept > 22 {
			t.Fatalf("%d menus are kept", kept)
		}
	}
	if m := c.get(menuKey{"seldom", 999}); m == nil || m.Version != 999 {
		t.Errorf("the last is %v", m)
	}
	if m := c.get(menuKey{"seldom", 1}); m != nil {
		t.Errorf("an old one is still there: %v", m)
	}
}
