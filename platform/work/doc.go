// Package work does, after commit, what a transaction may not do itself: call
// another module, call the payment provider, wait.
//
// A transaction schedules an item, of a kind and with a key, due now or at an
// instant of the wall's or the domain's clock. Once it has committed, a worker
// claims the item by a lease, hands it to the kind's handler outside of any
// transaction, and the handler records its answer in a second transaction, which
// fails if the lease has gone to somebody else. One item of a key is handled at a
// time, across kinds, so that a saga's steps never overlap. A handler that fails
// is tried again with back-off and jitter, without end; after some failures the
// item counts as stuck and is shown to the operator.
//
// An item is handled at least once: a crash between the handler's effect and its
// record repeats it, so what a handler calls takes an operation key.
//
// The items are rows of the table work in the module's own schema. What is due
// already is claimed by the very transaction that schedules it and handed to a
// worker in memory once that has committed; what is due later, failed, was left
// by a crash or exceeds what memory should hold is claimed many at a time.
//
// Processes that share a schema share its items. A lease names the process that holds
// it, and when that is no more the others free it within seconds; one that was only
// silent for too long, and goes on, cannot record anything. Their wall clocks must
// agree to within a few seconds, as leases end by them.
package work
