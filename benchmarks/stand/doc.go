// Package stand starts the topology that is measured, on fresh data, and ends it without a trace. It knows which part each process plays, what the
// fairness sheet has to say of it, and how to kill, stop and hamper a process.
package stand
