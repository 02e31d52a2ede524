package town

import "time"

// Op is something that people do. It names what is recorded, too.
type Op string

// What people do. All are requests, but for those that wait for something to show.
const (
	Search     Op = "search"     // a diner looks for what is open near by
	Restaurant Op = "restaurant" // a diner looks at one of them
	Menu       Op = "menu"       // a diner reads its menu
	Quote      Op = "quote"      // a diner asks for the price of three lines
	Place      Op = "place"      // a diner orders
	Page       Op = "page"       // a diner looks at the order's page, which the gateway composes from four modules
	Tracking   Op = "tracking"   // a diner looks at the view that tracking makes of events
	Ticket     Op = "ticket"     // the restaurant reads the ticket
	Accept     Op = "accept"     // the restaurant accepts it
	Prepare    Op = "prepare"    // the restaurant begins to cook
	Ready      Op = "ready"      // the restaurant says that it is ready
	Ride       Op = "ride"       // a courier accepts the offer
	AtPickup   Op = "at_pickup"  // a courier stands at the counter
	Pickup     Op = "pickup"     // a courier leaves with the food
	AtDropoff  Op = "at_dropoff" // a courier stands at the door
	Dropoff    Op = "dropoff"    // a courier hands the food over

	// Not steps of journeys, but what couriers do who have none.
	Offer   Op = "offer"    // a courier who is free looks whether there is something to do
	CallOff Op = "call_off" // somebody ends an order whose journey has failed, so that its courier is free

	Approved  Op = "approved"  // from the intended time of Place until the live stream says that the order is APPROVED, or farther
	Offered   Op = "offered"   // from when Ready was done until a courier has seen the offer
	Delivered Op = "delivered" // from when Dropoff was done until the live stream says DELIVERED
)

// Mix is a kind of journey: what is done for one arrival, one after another.
type Mix struct {
	Name  string
	Steps []Op
	// Think passes between the end of a step and the next request.
	Think time.Duration
	// Poll is how often a free courier looks for an offer, on the wall; a second if zero. Only mixes with Ride have couriers.
	Poll time.Duration
}

// The mixes.
var (
	// Standard is the whole life of an order, as everybody sees it in their app.
	Standard = Mix{Name: "standard", Steps: []Op{
		Search, Menu, Quote, Place, Approved, Page,
		Ticket, Accept, Prepare, Ready, Page,
		Offered, Ride, AtPickup, Pickup, Tracking, AtDropoff, Dropoff, Delivered,
	}}
	// Ordering ends when the order is approved. The tickets expire after ten minutes of the server's clock: it is for servers at speed 1.
	Ordering = Mix{Name: "ordering", Steps: []Op{Quote, Place, Approved}}
	// Browsing changes nothing.
	Browsing = Mix{Name: "browsing", Steps: []Op{Search, Restaurant, Menu}}
)

// Mixes are those that a command can name.
func Mixes() []Mix { return []Mix{Standard, Ordering, Browsing} }
