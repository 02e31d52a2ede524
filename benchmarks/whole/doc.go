// Package whole measures Kerf as a whole: the built program as a process of its own, with fresh data on disk and every commit synced,
// driven through its public API by clients that run here.
//
//	go test -run=NONE -bench=Idle -benchtime=400x -count=5 ./benchmarks/whole
//	go test -run=NONE -bench='Capacity|Life/Busy' -benchtime=3000x -count=5 ./benchmarks/whole
//	go test -run=NONE -bench=Life/Moderate -benchtime=400x -count=5 ./benchmarks/whole
//	go test -run=NONE -bench='CatchUp|Start' -benchtime=20x ./benchmarks/whole
//	KERF_INSTANCES=… go test -run=NONE -bench=Day -benchtime=1x ./benchmarks/whole
//
// What is measured, in orders (an iteration is an order unless said otherwise):
//
//   - Idle: one diner at a time. place is from the request for a quote until 201 for the order; approved is until the live stream of all
//     orders (GET /v1/tracking/events) says APPROVED, so it holds the event's way to tracking too. Nobody polls. Beside it the floor: a bare
//     echo handler, a process too, that writes the same rows with prepared SQL and group commit, driven by the same client in turns with Kerf.
//   - Capacity: 64 diners, each placing its next order when the last is approved.
//   - Life: orders from quote to delivered with all that restaurant and courier ask for, each order followed by the live stream, until every
//     event is settled; at a steady 20 a second and with 256 at a time. What the process uses when nothing happens is shown beside.
//   - CatchUp: kill -9 under the load of 64 diners, then a restart (an iteration is a kill): until it is ready, and until no saga is open, no
//     event unsettled and nobody still to be told. Then each acknowledged order must be there and approved.
//   - Day: the largest day in the folder that KERF_INSTANCES names, played by cmd/simulate at 600 times its pace (an iteration is a day; a few
//     minutes): memory at its end.
//   - Start: until ready, on a fresh and on a used data folder (an iteration is a start), and the memory that is resident then.
//
// CPU is user and system time of the process, from /proc. Seconds of CPU and ratios within one run travel between machines, rates do not: the
// clients share the machine, and their CPU is shown beside. It is a yardstick too: they do the same for an order whatever the server does, so
// what moves with it is the machine's doing.
//
// BENCH_PROFILES names a folder for profiles and metrics of the process under load. BENCH_ARGS adds flags for it,
// and BENCH_BINARY names a build of it to compare with another, taking turns.
package whole
