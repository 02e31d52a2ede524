// Package load offers load and measures what becomes of it. It knows nothing of what it loads: a journey is a function, and each request of it is a
// function too.
//
// Open loop: journeys start at intended instants (Poisson, or a recorded process), whatever the server does, as people do who do not know of each
// other. A request is intended at an instant, sent when a worker was free for it, and done when its answer was there. Response time is done − intended
// and is what a user feels; service time is done − sent and is what a server admits; lateness is sent − intended and is what the generator itself
// added, so that a run in which the generator was the bottleneck can be told from one in which the server was.
//
// Closed loop: a number of clients, each of which starts its next journey when its last has ended. It finds capacity and nothing else. While the
// server stalls, its clients wait and send nothing, so the stall is measured once for each client and not once for each request that would have
// come: coordinated omission, as Gil Tene names it in "How NOT to Measure Latency". Its percentiles flatter most where the server is worst, and must
// not be published as latencies.
//
// Each worker records into histograms of its own (HdrHistogram: microseconds, three significant digits, up to a minute), which are merged when the
// figures are asked for. What counts is bounded by Recorder.Begin and Recorder.End, by the intended instant of a request and not by its end: a window by
// ends would lose exactly those that took longest.
package load
