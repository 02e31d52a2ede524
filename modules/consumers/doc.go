// Package consumers is who orders: their profile, their addresses, the tokens by which they pay, what they want to be told, and whether
// they may order at all.
//
// It owns the tables consumer, address and payment_method. It publishes ConsumerRegistered, ProfileUpdated, AddressAdded, AddressUpdated,
// AddressRemoved, ConsumerSuspended, ConsumerReactivated and ConsumerClosed, keyed by consumer, and hears nothing. Events carry no name
// and no contact: who must tell a consumer something asks GetContact at that moment.
//
// A consumer who is CLOSED is an id without a person. The answers kept for repeated requests are forgotten a day later.
package consumers
