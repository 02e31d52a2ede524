// Package memory is the event bus of one process: topics with keyed partitions, and groups that each see every message.
//
// A partition is a bounded list of messages that all groups share; each group has its own place in it, and the message before a
// group's place stays until the slowest group has passed. So all groups see one order, a slow group makes publishers wait instead
// of losing messages, and it is known when everybody has acked a message, which is what an outbox waits for (bus.Settler).
//
// Nothing is stored: what no group has acked when the process ends is gone, and comes again from its publisher's outbox.
package memory
