// Package clock tells the time twice: the wall's, and the domain's, which runs
// at a speed so that a day of orders can be played in minutes.
//
// Domain time is a function of the wall time and of the last entry of a list of
// (wall, domain, speed). The list is kept in a small file (clock.json), so that
// domain time goes on while no process runs. One process keeps it; the others follow
// it ([Follow]), from the file or by asking the one that keeps it, so that all of them
// read the same instant from the same wall clock.
// It never goes back: not when the speed changes, not when the wall clock is set
// back. Every instant is in UTC and cut to microseconds, as databases keep them.
//
// On the domain clock: quotes, opening hours, expiry, offers, dispatch rounds.
// On the wall clock: deadlines, retries, leases, tokens, telemetry.
package clock
