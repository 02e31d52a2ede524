// Package outbox is a module's log of events: rows that are written in the transaction of the change that they tell of, and a relay
// that publishes them afterwards, so that neither a crash nor a bus that is down loses an event or tells of one that never happened.
//
// It owns the tables outbox, outbox_subject and outbox_bus of the module's schema. Rows stay for 30 days after they are done, and ReadLog reads
// what was published again from there.
//
// A row is done, or settled, when no group can miss the event any more: once it is published, on a bus that stores messages; once all
// groups have acked it, on one that does not. What is not settled when the process ends is published again by the next one, so
// groups may see an event twice.
//
// The schema remembers on which bus it was published. When that changes, all rows that are not known to be consumed, those included
// that the last bus only stores, are published again in their order, and listeners drop what they have handled: a bus may be left for
// another one and taken up again, and nothing is lost.
//
// Of several processes that share a schema one is the relay at a time; the others tell it of what they have committed. See Relay.
package outbox
