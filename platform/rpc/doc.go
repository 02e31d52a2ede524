// Package rpc carries calls between processes: grpc-go on both ends, one internal port that serves HTTP/1.1 beside it, faults that
// arrive as they were returned, and metadata that carries the caller, the trace and the cause.
//
// The generated glue and package placement use it; modules do not.
package rpc
