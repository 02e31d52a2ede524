// Package accountingapi is accounting's contract: what other modules may call, what accounting publishes, and its part of the public
// API. It imports no other module.
package accountingapi

import _ "embed" // for OpenAPI

// OpenAPI is accounting's part of the description of the public API: paths and schemas, which the gateway merges with the others'
// and with the components that all share.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Prefixes are the paths of the public API that accounting serves.
var Prefixes = []string{"/v1/payments", "/v1/ledger"}
