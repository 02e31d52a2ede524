// Package orders is the promise to the diner: it takes orders, brings them to approval, and sees them through to their door or to an
// end that costs the diner what it should.
//
// It owns the orders and the sagas, which are durable process managers: each step is a call to the kitchen, to accounting or to
// delivery under an operation key of its own, whose answer is recorded before the next. One saga acts on an order at a time; what
// kitchen and delivery publish, and a wish to cancel, is recorded and taken up when it has ended. An order shows the furthest fact that
// it has heard of. It shows DELIVERED only when the money is taken too, so that no authorisation is held for an order that has ended;
// who must know of the drop-off at once hears delivery's own OrderDroppedOff.
//
// It asks restaurants (GetQuote) and consumers (CheckMayOrder) before it takes an order. It publishes OrderPlaced, OrderApproved,
// OrderRejected, CancelRequested, CancelRefused, OrderCancelled, OrderDelivered and OrderUndeliverable. It hears the kitchen's
// TicketAccepted, PreparationStarted, TicketReady, TicketRejected, TicketExpired and TicketCancelled, and delivery's OrderPickedUp,
// OrderDroppedOff, DeliveryFailed and DeliveryCancelled.
package orders
