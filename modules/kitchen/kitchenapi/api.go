// Package kitchenapi is the kitchen's contract: what other modules may call, what the kitchen publishes, and its part of the
// public API. It imports no other module.
package kitchenapi

import _ "embed" // for OpenAPI

// OpenAPI is the kitchen's part of the description of the public API: paths and schemas, which the gateway merges with the others'
// and with the components that all share.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Prefixes are the paths of the public API that the kitchen serves.
var Prefixes = []string{"/v1/tickets", "/v1/kitchens"}
