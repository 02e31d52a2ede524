// Package identity says who is asking: the principal in a context, the tokens that prove it at the edge, and the keys that sign them.
//
// A principal crosses between modules as the compact text of [Encode]; tokens are checked where a request enters, and again at each
// module's own routes ([Verifier]). Keys live in a folder that the processes of a topology share ([Keys]), or are looked up where another
// process or an OIDC issuer publishes them ([RemoteKeys]); the built-in [Issuer] is for local use.
//
// A token of an external issuer has the claims sub, exp, iss, aud, roles (of the closed set of [Role]) and, for a restaurant's staff, owns (ids).
package identity
