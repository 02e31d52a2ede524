// Package fault is the closed set of ways in which an operation can fail, and the one mapping of each to HTTP and to gRPC.
//
// A fault says whose answer it is: the owner of an operation answers with an [*Error], which travels between processes as
// one kerf.error.v1.Detail. Whatever arrives without a Detail was made by the transport, and leaves the outcome of a
// command unknown ([Definite]). Nothing is ever inferred from an error's text.
package fault
