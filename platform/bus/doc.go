// Package bus is the contract of Kerf's event buses: Watermill's Publisher and Subscriber, a fixed set of CloudEvents attributes in
// the messages' metadata, and a few rules that every driver keeps:
//
//   - messages of one key are delivered to a group in the order in which they were published;
//   - a group sees every message at least once, and the next of a partition only after the last was acked;
//   - a nacked message is delivered again, before any later one of its partition;
//   - a full bus makes publishers wait and drops nothing, except for subscribers without a group, which may miss messages.
//
// The package owns no data. Package bustest checks the rules for any driver.
package bus
