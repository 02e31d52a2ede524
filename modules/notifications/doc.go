// Package notifications tells people what became of an order: consumers, restaurants and couriers, in an inbox in the app.
//
// It owns the notifications, one for each event and recipient. They hold rendered text and the codes, amounts and instants that it was made
// from, never a name or contact: how a consumer wants to be addressed is asked of consumers (GetContact) at the moment of telling.
//
// It publishes nothing. It hears orders' OrderApproved, OrderRejected, CancelRefused, OrderCancelled, OrderDelivered and
// OrderUndeliverable, the kitchen's TicketAccepted and TicketDelayed, delivery's CourierAssigned and OrderPickedUp, and accounting's
// PaymentRefunded.
package notifications
