// Package process is how a command lives and ends.
//
// A Group runs components that were constructed in the order of their
// dependencies. The first one that fails ends the process. When it ends, by failure
// or by SIGTERM or SIGINT, it first says that it is not ready, and then stops the
// components in reverse order, each within its share of a time limit: no request is
// accepted any more and those in hand are answered, then nothing more is heard from
// the bus, then the workers end, the bus, the databases. A second signal ends the
// process at once.
//
// Every command exits with 0, with 1 if it failed, and with 2 if it was called
// wrongly. A server prints one line on stdout, "ready URL", and logs on stderr.
package process
