package play

import (
	"math/rand/v2"
)

// dish is an item of the menu that all restaurants of a day share.
type dish struct {
	id, name string
	cents    int64
	sizes    bool
}

var dishes = []dish{
	{"soup", "Soup of the day", 590, false},
	{"salad", "Green salad", 690, false},
	{"pasta", "Pasta with tomatoes", 1090, true},
	{"curry", "Vegetable curry", 1190, true},
	{"burger", "Burger", 1250, true},
	{"cake", "Chocolate cake", 520, false},
}

// The one choice that some dishes have.
const (
	sizeGroup  = "size"
	smallSize  = "regular"
	largeSize  = "large"
	largeExtra = 250
)

func menu() []map[string]any {
	items := make([]map[string]any, len(dishes))
	for i, d := range dishes {
		items[i] = map[string]any{"id": d.id, "name": d.name, "price": price(d.cents)}
		if d.sizes {
			items[i]["modifier_groups"] = []map[string]any{{"id": sizeGroup, "name": "Size", "min": 1, "max": 1, "options": []map[string]any{
				{"id": smallSize, "name": "Regular", "price_delta": price(0)},
				{"id": largeSize, "name": "Large", "price_delta": price(largeExtra)},
			}}}
		}
	}
	return items
}

// meal chooses what the diner of an order eats: one to three dishes, and always one that reaches the minimum.
func meal(seed uint64, order int) []map[string]any {
	random := rand.New(rand.NewPCG(seed, uint64(order)))
	lines := []map[string]any{lineOf(random, dishes[2+random.IntN(3)])}
	for _, i := range random.Perm(len(dishes))[:random.IntN(3)] {
		if dishes[i].id != lines[0]["item_id"] {
			lines = append(lines, lineOf(random, dishes[i]))
		}
	}
	return lines
}

func lineOf(random *rand.Rand, d dish) map[string]any {
	line := map[string]any{"item_id": d.id, "quantity": 1 + random.IntN(2)}
	if d.sizes {
		size := smallSize
		if random.IntN(3) == 0 {
			size = largeSize
		}
		line["options"] = []map[string]any{{"group_id": sizeGroup, "option_id": size}}
	}
	return line
}
