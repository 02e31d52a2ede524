// Package micro reads what micro-benchmarks print, so that a report can quote them.
//
// Micro-benchmarks are ordinary ones: they stand beside what they measure, and the laboratory does not replace them. What there is:
//
//	platform/placement     LocalCall, Placements, RemoteCall         what a seam adds, local and remote, with and without certificates
//	platform/bus/...       AgainstGoChannel, AgainstKafkaGoOn...     each bus against the library below it, in turns
//	platform/database      GroupCommit, GroupCommitPostgres          commits of many callers together
//	platform/outbox, inbox CommitToPublish, WholePath, OneEvent      an event from commit to commit
//	platform/work, web     Throughput, IdleLatency, Edge, Once       due work, the HTTP edge
//	platform/identity      VerifyAFreshToken, VerifyARememberedToken
//	modules/...            Approval, Quote, Payment, Apply, Life ... the module's own operations, without its neighbours
//	benchmarks/codec       Encode, Decode                            events in four formats
//	benchmarks/load        Request, OpenLoop                         what the generator itself costs
//	benchmarks/whole       Life, Capacity, Cut, Day ...              the program as a whole, by its public API
//
// A handful of them, in two to four minutes, into a file that a report quotes with run -micro micro.txt:
//
//	go test -run '^$' -bench 'LocalCall|AgainstGoChannel|Verify|Encode|Decode|Request' -benchtime 0.3s -count 6 -p 1 \
//	  ./platform/placement ./platform/bus/memory ./platform/identity ./benchmarks/codec ./benchmarks/load | tee micro.txt
//
// To compare two commits, do that on each, in turns if the machine is not quiet, and let benchstat judge:
//
//	go run golang.org/x/perf/cmd/benchstat@v0.0.0-20260908200009-22c9c6c9d4da old.txt new.txt
//
// It owns no data.
package micro
