// Package town is a city that orders, cooks and rides on any deployment of Kerf, by its public API alone: what its people are (Settle), what
// they do (Mix, Journey), when they are done (Quiet), and whether the server kept its word (Check).
//
// It is made to cost little, because it runs on the machine that it measures: a connection for each worker of the load, requests that are
// put together from parts made before, and answers that are scanned for the few fields that the next request needs. Set-up and checks, which
// nobody measures, use the client of the simulation.
package town
