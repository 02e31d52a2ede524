// Package supervise keeps programs running: it starts one, tells when it is ready, starts it again when it dies, with a pause that grows
// while it keeps dying, and stops it gently.
//
// A child never outlives this process. Each has a process group of its own, so that a terminal's Ctrl-C reaches this process alone and the order of
// the end stays its to decide; what is left of the group is killed when the child has ended. If this process is killed, the kernel kills its
// children (on Linux; elsewhere they are stopped only by an orderly end).
package supervise
