// Package inbox takes a module's messages from the bus: each in one transaction with the module's own changes, once, in the order of
// its aggregate.
//
// A message whose handler keeps failing is parked, and blocks the later ones of its topic and key, which queue behind it; all others
// go on. So does a message that is not the next of its aggregate, and one that cannot be decoded. An operator replays or drops the
// head of such a queue. A failing database parks nothing: the listener waits until it is back.
//
// It owns the tables inbox and parked of the module's schema. A process has one listener for a schema; several processes that share it
// are members of one group, and a message that comes to two of them has its effect once.
package inbox
