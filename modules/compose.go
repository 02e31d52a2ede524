// Package modules wires the bounded contexts of one process: which are here, how they reach each other, and what runs.
package modules

import (
	"kerf/modules/accounting"
	"kerf/modules/accounting/accountingapi"
	"kerf/modules/consumers"
	"kerf/modules/consumers/consumersapi"
	"kerf/modules/delivery"
	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/gateway"
	"kerf/modules/kitchen"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/modules/notifications"
	"kerf/modules/notifications/notificationsapi"
	"kerf/modules/orders"
	"kerf/modules/orders/ordersapi"
	"kerf/modules/restaurants"
	"kerf/modules/restaurants/restaurantsapi"
	"kerf/modules/tracking"
	"kerf/modules/tracking/trackingapi"
)

// compose makes the modules that are here, in the order of their dependencies, and has them take part in the process. Each is placed in one
// statement: it is made here, or reached where it is, and its callers cannot tell. Which module asks which stands here and nowhere else.
func (s *system) compose() error {
	at := s.seams.To
	consumersService := consumersapi.PlaceConsumersService(at("consumers"), here(s, "consumers", func(m *member) *consumers.Module {
		return consumers.New(m.db, m.events, s.clock)
	}))
	restaurantsService := restaurantsapi.PlaceRestaurantsService(at("restaurants"), here(s, "restaurants", func(m *member) *restaurants.Module {
		return restaurants.New(m.db, m.events, s.clock)
	}))
	kitchenService := kitchenapi.PlaceKitchenService(at("kitchen"), here(s, "kitchen", func(m *member) *kitchen.Module {
		return kitchen.New(m.db, m.events, m.queue, s.clock, m.log)
	}))
	accountingService := accountingapi.PlaceAccountingService(at("accounting"), here(s, "accounting", func(m *member) *accounting.Module {
		return accounting.New(m.db, m.events, m.queue, s.clock, accounting.NewSimulator(m.db, s.clock), m.log)
	}))
	deliveryService := deliveryapi.PlaceDeliveryService(at("delivery"), here(s, "delivery", func(m *member) *delivery.Module {
		return delivery.New(m.db, m.events, m.queue, s.clock, s.bus.Publisher(), delivery.Config{}, m.log, s.tel.Metrics)
	}))
	ordersService := ordersapi.PlaceOrdersService(at("orders"), here(s, "orders", func(m *member) *orders.Module {
		return orders.New(m.db, m.events, m.queue, s.clock, restaurantsService, consumersService, kitchenService, accountingService,
			deliveryService, m.log)
	}))
	here(s, "notifications", func(m *member) *notifications.Module {
		return notifications.New(m.db, m.queue, s.clock, consumersService, m.log)
	})
	here(s, "tracking", func(m *member) *tracking.Module {
		return tracking.New(m.db, s.clock, s.everybody(), tracking.Logs{
			Orders: s.platforms["orders"], Kitchen: s.platforms["kitchen"],
			Delivery: s.platforms["delivery"], Accounting: s.platforms["accounting"],
		}, m.log)
	})
	if s.cfg.Has("gateway") {
		gateway.New(gateway.Config{
			Orders: ordersService, Kitchen: kitchenService, Delivery: deliveryService, Accounting: accountingService,
			Platforms: s.platforms, Remotes: s.elsewhere(prefixes), Keys: s.keys, Issuer: s.issuer(), Clock: s.clock,
			Internal: s.internal, Version: s.version,
		}).Routes(s.edge.Echo)
	}
	return s.failed
}

// prefixes are the paths of the public API that each module serves.
var prefixes = map[string][]string{
	"consumers": consumersapi.Prefixes, "restaurants": restaurantsapi.Prefixes, "kitchen": kitchenapi.Prefixes,
	"accounting": accountingapi.Prefixes, "delivery": deliveryapi.Prefixes, "orders": ordersapi.Prefixes,
	"notifications": notificationsapi.Prefixes, "tracking": trackingapi.Prefixes,
}
