// Package modules wires the bounded contexts of one process: which are here, how they reach each other, and what runs.
package modules

import (
	"fmt"

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
	"kerf/modules/orders"
	"kerf/modules/orders/ordersapi"
	"kerf/modules/restaurants"
	"kerf/modules/restaurants/restaurantsapi"
	"kerf/modules/tracking"
)

// Names are the modules, in the order of their dependencies.
var Names = []string{"consumers", "restaurants", "kitchen", "accounting", "delivery", "orders", "notifications", "tracking", "gateway"}

// compose makes every module, in the order of their dependencies, and has it take part in the process. Which module asks which stands
// here and nowhere else.
func (s *system) compose() error {
	m := map[string]*member{}
	for name := range s.dbs {
		m[name] = s.member(name)
	}
	positions, err := s.bus.Subscriber("")
	if err != nil {
		return fmt.Errorf("hearing couriers: %w", err)
	}
	at := s.seams.To

	theConsumers := consumers.New(m["consumers"].db, m["consumers"].events, s.clock)
	theRestaurants := restaurants.New(m["restaurants"].db, m["restaurants"].events, s.clock)
	theKitchen := kitchen.New(m["kitchen"].db, m["kitchen"].events, m["kitchen"].queue, s.clock, m["kitchen"].log)
	theAccounting := accounting.New(m["accounting"].db, m["accounting"].events, m["accounting"].queue, s.clock,
		accounting.NewSimulator(m["accounting"].db, s.clock), m["accounting"].log)
	theDelivery := delivery.New(m["delivery"].db, m["delivery"].events, m["delivery"].queue, s.clock, s.bus.Publisher(),
		delivery.Config{}, m["delivery"].log, s.tel.Metrics)

	consumersService := consumersapi.PlaceConsumersService(at("consumers"), theConsumers)
	restaurantsService := restaurantsapi.PlaceRestaurantsService(at("restaurants"), theRestaurants)
	kitchenService := kitchenapi.PlaceKitchenService(at("kitchen"), theKitchen)
	accountingService := accountingapi.PlaceAccountingService(at("accounting"), theAccounting)
	deliveryService := deliveryapi.PlaceDeliveryService(at("delivery"), theDelivery)

	theOrders := orders.New(m["orders"].db, m["orders"].events, m["orders"].queue, s.clock,
		restaurantsService, consumersService, kitchenService, accountingService, deliveryService, m["orders"].log)
	ordersService := ordersapi.PlaceOrdersService(at("orders"), theOrders)
	theNotifications := notifications.New(m["notifications"].db, m["notifications"].queue, s.clock, consumersService, m["notifications"].log)
	theTracking := tracking.New(m["tracking"].db, s.clock, positions, m["tracking"].log)

	for _, module := range []struct {
		name string
		part any
	}{
		{"consumers", theConsumers}, {"restaurants", theRestaurants}, {"kitchen", theKitchen}, {"accounting", theAccounting},
		{"delivery", theDelivery}, {"orders", theOrders}, {"notifications", theNotifications}, {"tracking", theTracking},
	} {
		if err := s.join(module.name, m[module.name], module.part); err != nil {
			return err
		}
	}
	theGateway := gateway.New(gateway.Config{
		Orders: ordersService, Kitchen: kitchenService, Delivery: deliveryService, Accounting: accountingService,
		Platforms: s.platforms, Keys: s.keys, Issuer: s.issuer(), Clock: s.clock,
		Internal: s.internal, Version: s.version,
	})
	theGateway.Routes(s.edge.Echo)
	return nil
}
