// Package kitchen is the kitchen of each restaurant: for every order a ticket, which the restaurant accepts, prepares and hands over.
//
// It owns the tickets, one per order and addressed by the order's id, and how many each kitchen works on at a time. The ticket's
// machine is the table transitions in internal/transitions.go.
//
// It publishes TicketCreated, TicketAccepted, TicketRejected, TicketExpired, PreparationStarted, TicketReady, TicketDelayed,
// TicketHandedOver and TicketCancelled, all keyed by the order's id. It hears delivery's OrderPickedUp, which moves a ticket that
// the restaurant forgot to hand over.
//
// A restaurant has ten minutes of domain time to accept a ticket; only the timer ends that time, so an acceptance that reaches
// the ticket before the timer does still counts.
package kitchen
