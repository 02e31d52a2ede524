// Package provider is the port to the company that moves the money, and a simulator of one.
//
// The simulator is the built-in default. The payment token chooses how it behaves, well or badly (the table behaviours lists them), and it keeps
// a durable record of its own, written in its own transactions, so that what it charged can be compared with the ledger after any
// crash.
package provider
