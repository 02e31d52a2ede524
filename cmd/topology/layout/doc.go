// Package layout works out who runs where: from a topology file it makes one instance for each process and replica, with its addresses and the
// whole configuration that it starts with, and says what of the file cannot work.
//
// What the file's configuration sets wins over what would be worked out, key by key: an address of a module that is reached through a proxy, a
// broker elsewhere, a module's own server.
package layout
