// Package operation makes commands between modules idempotent: the first answer to an operation key is kept, in the table
// operation of the module that owns the answer, in the transaction of the command itself, and every repeat gets it.
//
// Kept are successes and definite refusals. An error of unknown outcome keeps nothing: the command may be asked again.
package operation
