// Package restaurants is who offers what, when, for how much: restaurants with their hours, zones and fees, immutable versions of their
// menus, and the quotes that freeze a price until it is ordered.
//
// It owns the tables restaurant, menu and quote. It publishes RestaurantCreated, RestaurantUpdated, RestaurantOpened, RestaurantPaused,
// RestaurantClosed, HoursChanged, MenuPublished and ItemAvailabilityChanged, keyed by restaurant, and hears nothing.
//
// A price always comes from a menu version, never from a client. Whether a restaurant is open is computed, never stored: from its state,
// the end of its pause, and its hours on the clock of its own time zone.
package restaurants
