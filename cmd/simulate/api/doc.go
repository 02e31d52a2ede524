// Package api is a client of Kerf's public API: what a good client does about identity, failures and repetition, and the few documents
// that the simulation, the demo and the checkers read. It knows nothing that the API does not tell.
package api
