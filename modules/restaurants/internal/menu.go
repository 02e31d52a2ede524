package internal

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

	"kerf/platform/fault"
	"kerf/platform/money"
)

// Menu is one published version: it never changes, so it may be kept in memory and shared.
type Menu struct {
	RestaurantID string
	Version      int64
	// PublishedAt is microseconds, UTC.
	PublishedAt int64
	Items       []Item
	byID        map[string]*Item
}

// Item is what can be ordered. Its id stays the same from version to version; availability is known by it.
type Item struct {
	ID             string      `json:"id"`
	Name           string      `json:"name"`
	Description    string      `json:"description,omitempty"`
	Category       string      `json:"category,omitempty"`
	Price          money.Money `json:"price"`
	ModifierGroups []Group     `json:"modifier_groups,omitempty"`
}

// Group is a choice that comes with an item: Min to Max of its options.
type Group struct {
	ID      string   `json:"id"`
	Name    string   `json:"name"`
	Min     int      `json:"min"`
	Max     int      `json:"max"`
	Options []Option `json:"options"`
}

// Option changes the price of the item by its delta, which may be negative.
type Option struct {
	ID         string      `json:"id"`
	Name       string      `json:"name"`
	PriceDelta money.Money `json:"price_delta"`
}

// Limits of a menu.
const (
	maxItems       = 1000
	maxGroups      = 20
	maxOptions     = 50
	maxDescription = 1000
	maxID          = 64
)

var slug = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// newMenu returns a menu whose items it may give ids: from their names where they have none.
func newMenu(restaurantID string, version, publishedAt int64, items []Item) *Menu {
	m := &Menu{RestaurantID: restaurantID, Version: version, PublishedAt: publishedAt, Items: items, byID: make(map[string]*Item, len(items))}
	for i := range m.Items {
		if id := m.Items[i].ID; id != "" {
			m.byID[id] = &m.Items[i]
		}
	}
	for i := range m.Items {
		if item := &m.Items[i]; item.ID == "" {
			item.ID = m.freeID(item.Name)
			m.byID[item.ID] = item
		}
	}
	return m
}

// Item returns an item by its id, or nil.
func (m *Menu) Item(id string) *Item { return m.byID[id] }

// freeID makes a slug of a name that no item has yet.
func (m *Menu) freeID(name string) string {
	var b strings.Builder
	for _, c := range strings.ToLower(name) {
		switch {
		case c < unicode.MaxASCII && (unicode.IsLetter(c) || unicode.IsDigit(c)):
			b.WriteRune(c)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "-"):
			b.WriteByte('-')
		}
		if b.Len() >= maxID-5 { // leave room for a number
			break
		}
	}
	base := strings.TrimRight(b.String(), "-")
	if base == "" {
		base = "item"
	}
	id := base
	for n := 2; m.byID[id] != nil; n++ {
		id = base + "-" + strconv.Itoa(n)
	}
	return id
}

// menuViolations lists what is wrong with the items of a restaurant that takes one currency.
func menuViolations(items []Item, currency string) fault.Checks {
	var v violations
	v.That(len(items) >= 1 && len(items) <= maxItems, "items", "must be 1 to %d items", maxItems)
	if len(items) > maxItems {
		return v.Checks // no need to read on, here and below: nobody reads a thousand violations
	}
	seen := map[string]bool{}
	for i := range items {
		item, at := &items[i], fmt.Sprintf("items[%d]", i)
		if item.ID != "" {
			v.checkID(item.ID, at+".id", seen)
		}
		v.Text(item.Name, at+".name", 1, maxName)
		v.Text(item.Description, at+".description", 0, maxDescription)
		v.Text(item.Category, at+".category", 0, maxName)
		v.checkPrice(item.Price, at+".price", currency, 0)
		v.That(len(item.ModifierGroups) <= maxGroups, at+".modifier_groups", "must be at most %d groups", maxGroups)
		cheapest, groups := item.Price.Amount, map[string]bool{}
		for j := range item.ModifierGroups[:min(len(item.ModifierGroups), maxGroups)] {
			g := &item.ModifierGroups[j]
			v.checkGroup(g, fmt.Sprintf("%s.modifier_groups[%d]", at, j), currency, groups)
			cheapest += g.cheapest()
		}
		v.That(cheapest >= 0, at+".price", "must not become negative by any choice of options")
	}
	return v.Checks
}

func (v *violations) checkGroup(g *Group, at, currency string, seen map[string]bool) {
	v.checkID(g.ID, at+".id", seen)
	v.Text(g.Name, at+".name", 1, maxName)
	v.That(len(g.Options) >= 1 && len(g.Options) <= maxOptions, at+".options", "must be 1 to %d options", maxOptions)
	v.That(g.Min >= 0 && g.Min <= g.Max, at+".min", "must be 0 to max")
	v.That(g.Max >= 1 && g.Max <= len(g.Options), at+".max", "must be 1 to the number of options")
	options := map[string]bool{}
	for i, o := range g.Options[:min(len(g.Options), maxOptions)] {
		at := fmt.Sprintf("%s.options[%d]", at, i)
		v.checkID(o.ID, at+".id", options)
		v.Text(o.Name, at+".name", 1, maxName)
		v.checkPrice(o.PriceDelta, at+".price_delta", currency, -maxAmount)
	}
}

func (v *violations) checkID(id, field string, seen map[string]bool) {
	v.That(len(id) <= maxID && slug.MatchString(id), field, "must be 1 to %d of a-z, 0-9, - and _, not beginning with - or _", maxID)
	v.That(!seen[id], field, "is there twice")
	seen[id] = true
}

func (v *violations) checkPrice(m money.Money, field, currency string, least int64) {
	v.That(m.Currency == currency, field+".currency", "must be %s, the restaurant's currency", currency)
	v.That(m.Amount >= least && m.Amount <= maxAmount, field+".amount", "must be %d to %d", least, maxAmount)
}

// cheapest returns the least that any allowed choice of the group adds to the price.
func (g *Group) cheapest() int64 {
	deltas := make([]int64, len(g.Options))
	for i, o := range g.Options {
		deltas[i] = o.PriceDelta.Amount
	}
	slices.Sort(deltas)
	sum := int64(0)
	for i, d := range deltas[:max(0, min(g.Max, len(deltas)))] {
		if i >= g.Min && d >= 0 {
			break
		}
		sum += d
	}
	return sum
}
