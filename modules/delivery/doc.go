// Package delivery is couriers and the road: for every order that a kitchen has accepted a delivery, which a dispatch round offers to
// a courier, and which the courier takes from the counter to the door.
//
// It owns the deliveries, one per order and addressed by the order's id, and the couriers with their shifts and positions. The
// machines are the tables in internal/transitions.go.
//
// It publishes DeliveryScheduled, CourierAssigned, CourierUnassigned, CourierArrived, OrderPickedUp, EtaChanged, OrderDroppedOff,
// DeliveryFailed and DeliveryCancelled, all keyed by the order's id, and CourierMoved, lossy, on a topic of its own. It hears the
// kitchen's TicketReady, TicketDelayed and TicketHandedOver, which move the time that a courier is wanted at the counter.
//
// A courier's position is kept in memory, and written down when the courier's state changes and every few seconds: reports are many,
// and none is worth a transaction. Of several processes on one schema one dispatches, by the positions that it was told itself and those
// that the others have written down.
package delivery
