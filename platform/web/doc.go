// Package web is the HTTP edge of a module: one echo server with what every route needs and none should write again.
//
// A request gets an id (its correlation id too), a deadline, a limit on its body, its caller from the Bearer token, a metric, a
// log line and, if it is sampled, a span. Whatever goes wrong is answered as problem+json (RFC 9457), echo's own refusals
// included. For handlers there is strict reading ([Bind], [fault.Checks]), who may ([Require]), answering a command exactly once
// ([Once]), versions ([RequireIfMatch], [Versioned]), pages ([PageOf]), links ([Links]) and live streams ([Stream]).
//
// The package owns the table idempotency in the schema of each module ([Prune]).
package web
