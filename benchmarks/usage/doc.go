// Package usage tells what processes use: CPU, memory, threads, context switches and bytes, from Linux's /proc and its clocks of processes.
//
// The CPU time of a process is read from its CPU clock (clock_getcpuclockid(3)): nanoseconds, threads that have ended included, one system call. The
// others were measured beside it and left. /proc/PID/stat has the same figure in ticks of 10 ms, user and system time each cut off: over nine processes that together
// used 1.4 s in 5 s it was wrong by up to 2 %. The threads' schedstat agrees to 0.1 %, but what threads used that have ended is lost, and a look at the nine
// costs 2 ms of CPU where the clocks cost 4 µs. Of children that have ended only stat tells, as the time that whoever waited for them has of them; that is exact to two
// ticks, however many they were.
//
// The system's own view, /proc/stat, counts what a processor did at each timer interrupt, so it is an estimate; time in which a processor was idle
// is measured there. So what the machine did is what was neither idle nor stolen, and Rest may come out a little below 0.
package usage
