package main

import (
	"kerf/platform/geo"
	"kerf/platform/money"
)

// The demo city lies around Stephansplatz in Vienna, and is so small that a courier crosses it in half a minute.
const (
	demoTimeZone = "Europe/Vienna"
	demoCurrency = "EUR"
)

// demoPlace is a restaurant of the demo city.
type demoPlace struct {
	name, cuisine string
	at            geo.Position
	dishes        []demoDish
}

type demoDish struct {
	id, name, description string
	cents                 int64
	choices               []demoChoice
}

// demoChoice is a group of modifiers, of which min to max are taken.
type demoChoice struct {
	id, name string
	min, max int
	options  []demoOption
}

type demoOption struct {
	id, name string
	cents    int64
}

// Choices that more than one dish has.
var (
	spice = demoChoice{"spice", "How hot?", 1, 1, []demoOption{{"mild", "Mild", 0}, {"medium", "Medium", 0}, {"hot", "Hot", 0}}}
	extra = demoChoice{"extra", "Extras", 0, 2, []demoOption{{"cheese", "Extra cheese", 150}, {"olives", "Olives", 120}, {"rocket", "Rocket", 140}}}
	side  = demoChoice{"side", "On the side", 1, 1, []demoOption{{"potato-salad", "Potato salad", 0}, {"fries", "Fries", 0}, {"rice", "Rice", 0}}}
	milk  = demoChoice{"milk", "Milk", 1, 1, []demoOption{{"cow", "Cow's milk", 0}, {"oat", "Oat milk", 60}}}
)

var demoPlaces = []demoPlace{
	{"Trattoria Aurora", "italian", geo.Position{Latitude: 48.20930, Longitude: 16.37270}, []demoDish{
		{"margherita", "Pizza Margherita", "Tomatoes, mozzarella, basil", 1090, []demoChoice{extra}},
		{"diavola", "Pizza Diavola", "Hot salami, chilli", 1290, []demoChoice{extra}},
		{"tiramisu", "Tiramisù", "", 590, nil},
	}},
	{"Zum Goldenen Löffel", "austrian", geo.Position{Latitude: 48.20760, Longitude: 16.37520}, []demoDish{
		{"schnitzel", "Wiener Schnitzel", "Veal, lemon, cranberries", 1990, []demoChoice{side}},
		{"goulash", "Beef goulash", "With a bread dumpling", 1590, nil},
		{"kaiserschmarrn", "Kaiserschmarrn", "Stewed plums", 990, nil},
	}},
	{"Sichuan Garden", "chinese", geo.Position{Latitude: 48.20870, Longitude: 16.37560}, []demoDish{
		{"mapo-tofu", "Mapo tofu", "", 1150, []demoChoice{spice}},
		{"dan-dan", "Dan dan noodles", "Sesame, peanuts", 1190, []demoChoice{spice}},
		{"dumplings", "Dumplings", "Eight pieces", 890, nil},
	}},
	{"Kottu House", "sri lankan", geo.Position{Latitude: 48.20720, Longitude: 16.37300}, []demoDish{
		{"kottu", "Vegetable kottu", "Chopped roti, leeks, egg", 1250, []demoChoice{spice}},
		{"hoppers", "Egg hoppers", "Three, with sambol", 990, nil},
		{"mango-lassi", "Mango lassi", "", 420, nil},
	}},
	{"Burger Werk", "burgers", geo.Position{Latitude: 48.20900, Longitude: 16.37470}, []demoDish{
		{"classic", "Classic burger", "180 g of beef, pickles", 1290, []demoChoice{side}},
		{"halloumi", "Halloumi burger", "Grilled peppers", 1190, []demoChoice{side}},
		{"lemonade", "Lemonade", "", 390, nil},
	}},
	{"Sushi Naka", "japanese", geo.Position{Latitude: 48.20750, Longitude: 16.37220}, []demoDish{
		{"sake-set", "Salmon set", "Eight nigiri, six maki", 1690, nil},
		{"udon", "Udon", "Broth, tempura", 1290, []demoChoice{spice}},
		{"miso", "Miso soup", "", 390, nil},
	}},
	{"Falafel Bros", "levantine", geo.Position{Latitude: 48.20860, Longitude: 16.37200}, []demoDish{
		{"plate", "Falafel plate", "Hummus, salad, pita", 1090, []demoChoice{spice}},
		{"shakshuka", "Shakshuka", "", 990, nil},
		{"baklava", "Baklava", "Three pieces", 450, nil},
	}},
	{"Café Morgen", "café", geo.Position{Latitude: 48.20800, Longitude: 16.37440}, []demoDish{
		{"breakfast", "Viennese breakfast", "Rolls, jam, egg", 990, nil},
		{"apple-strudel", "Apple strudel", "Whipped cream", 520, nil},
		{"melange", "Melange", "", 450, []demoChoice{milk}},
	}},
}

// demoDoors are where the demo city's diners live.
var demoDoors = []struct {
	street string
	at     geo.Position
}{
	{"Singerstraße 4", geo.Position{Latitude: 48.20790, Longitude: 16.37370}},
	{"Wollzeile 9", geo.Position{Latitude: 48.20890, Longitude: 16.37530}},
	{"Graben 12", geo.Position{Latitude: 48.20880, Longitude: 16.37130}},
	{"Kärntner Straße 21", geo.Position{Latitude: 48.20690, Longitude: 16.37190}},
}

// demoStands are where couriers begin.
var demoStands = []geo.Position{
	{Latitude: 48.20850, Longitude: 16.37310}, {Latitude: 48.20780, Longitude: 16.37280}, {Latitude: 48.20830, Longitude: 16.37490},
	{Latitude: 48.20730, Longitude: 16.37420}, {Latitude: 48.20910, Longitude: 16.37360}, {Latitude: 48.20810, Longitude: 16.37180},
}

func demoPrice(cents int64) money.Money { return money.Money{Amount: cents, Currency: demoCurrency} }

// menu is the place's menu as the API takes it.
func (p demoPlace) menu() map[string]any {
	items := make([]map[string]any, len(p.dishes))
	for i, d := range p.dishes {
		groups := make([]map[string]any, len(d.choices))
		for j, c := range d.choices {
			options := make([]map[string]any, len(c.options))
			for k, o := range c.options {
				options[k] = map[string]any{"id": o.id, "name": o.name, "price_delta": demoPrice(o.cents)}
			}
			groups[j] = map[string]any{"id": c.id, "name": c.name, "min": c.min, "max": c.max, "options": options}
		}
		items[i] = map[string]any{"id": d.id, "name": d.name, "description": d.description, "price": demoPrice(d.cents), "modifier_groups": groups}
	}
	return map[string]any{"items": items}
}

// basket is a meal of the place: two dishes, each with the options that it must have. Any number chooses one.
func (p demoPlace) basket(n int) []map[string]any {
	first, second := n%len(p.dishes), (n+1)%len(p.dishes)
	return []map[string]any{p.dishes[first].line(n), p.dishes[second].line(n)}
}

func (d demoDish) line(n int) map[string]any {
	options := []map[string]any{}
	for _, c := range d.choices {
		for i := range c.min {
			options = append(options, map[string]any{"group_id": c.id, "option_id": c.options[(n+i)%len(c.options)].id})
		}
	}
	return map[string]any{"item_id": d.id, "quantity": 1, "options": options}
}
