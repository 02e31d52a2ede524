// Package usage tells what processes use: CPU, memory, threads, context switches and bytes, from Linux's /proc and its clocks of processes.
//
// The CPU time of a process is read from its CPU clock (clock_getcpuclockid(3)): nanoseconds, threads that have ended included, one system call. The
// others were measured and left: /proc/PID/stat has the same figure in ticks of 10 ms, user and system each cut off, so that the same difference over
// nine processes is known to some ±20 ms; schedstat has nanoseconds, but a file for each thread, and what ended threads used is lost. Of children that have ended only
// stat tells, in the time that whoever waited for them has of them; that is exact to two ticks, however many they were.
//
// The system's own view, /proc/stat, counts what a processor did at each timer interrupt, so it is an estimate; time in which a processor was idle
// is measured there. So what the machine did is what was neither idle nor stolen, and Rest may come out a little below 0.
package usage
