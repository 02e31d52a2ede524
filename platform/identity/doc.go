// Package identity says who is asking: the principal in a context, the tokens that prove it at the edge, and the keys that sign them.
//
// A principal crosses between modules as the compact text of [Encode]; tokens are checked only where a request enters ([Verifier]).
// Keys live in a folder that the processes of a topology share ([Keys]); the built-in [Issuer] is for local use.
package identity
