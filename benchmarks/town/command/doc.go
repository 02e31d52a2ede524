// Package command is the laboratory's subcommand load: it drives any deployment by its URL, and tells what it measured.
//
//	go run ./benchmarks load -target http://127.0.0.1:8080 -rate 20 -for 30s
//	go run ./benchmarks load -target http://127.0.0.1:8080 -closed 64 -mix ordering
//	go run ./benchmarks load -target http://127.0.0.1:8080 -instance DIR -speed 60
//
// The first is an open loop with Poisson arrivals, for latencies; the second a closed one, for capacity; the third repeats the arrivals of a recorded
// day. Whole lives of orders want a server whose clock runs fast (go run . -speed 60): couriers are sent out in rounds, the more of which the faster it is.
package command
