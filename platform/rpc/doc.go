// Package rpc carries calls between processes. A Server answers gRPC (by grpc-go, over HTTP/2) and the Connect protocol with protobuf or
// JSON (over HTTP/1.1) on one internal port, which serves health, metrics and REST mounts beside them. A Client calls one module at
// its replicas, by any of the three.
//
// Faults arrive as they were returned; the caller, the trace, the cause and the time that is left travel along. What a client does
// about networks and peers that fail is its Policy: retries that are safe and have a budget, a circuit breaker, a bulkhead, and
// replicas that are passed over while they fail. With TLS, both sides prove which modules they are, and a server refuses who has no
// right to an operation.
//
// Package placement and the composition of a process use it; modules do not.
package rpc
