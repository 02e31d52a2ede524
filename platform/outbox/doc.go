// Package outbox is a module's log of events: rows that are written in the transaction of the change that they tell of, and a relay
// that publishes them afterwards, so that neither a crash nor a bus that is down loses an event or tells of one that never happened.
//
// It owns the tables outbox and outbox_subject of the module's schema. Rows stay for 30 days after they are done, and ReadLog reads
// what was published again from there.
//
// A row is done, or settled, when no group can miss the event any more: once it is published, on a bus that stores messages; once all
// groups have acked it, on one that does not. What is not settled when the process ends is published again by the next one, so
// groups may see an event twice.
package outbox
