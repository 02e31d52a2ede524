// Package ids makes and reads the ids of aggregates: UUIDv7 in their one canonical spelling, typed per aggregate, so that an
// order's id cannot be handed over as a ticket's.
package ids
