// Package actors are the people on the other side of the public API: a restaurant's kitchen and a courier, as their apps would behave. What
// they do follows from what the server says of a ticket or a delivery, so they take up their work wherever they find it, after a restart of
// theirs or of the server.
package actors
