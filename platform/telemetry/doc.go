// Package telemetry makes what one application tells about itself: a log (slog), a
// registry of Prometheus metrics and a provider of OpenTelemetry traces. It sets no
// globals, so several applications run in one process; who needs one of the three
// is handed it.
//
// The log goes to stderr, as text on a terminal and as JSON elsewhere. Traces are
// off by default: the provider is then a no-op. Trace context travels in W3C's
// traceparent: the edge reads it from HTTP headers (platform/web), calls carry it in
// gRPC metadata (platform/rpc), events in their metadata (platform/bus), due work in
// its row (platform/work), so that one trace spans an order's calls and events.
package telemetry
