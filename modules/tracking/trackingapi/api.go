// Package trackingapi is tracking's contract: what other modules may call, and its part of the public API. It imports no other module.
package trackingapi

import _ "embed" // for OpenAPI

// OpenAPI is tracking's part of the description of the public API: paths and schemas, which the gateway merges with the others' and
// with the components that all share.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Prefixes are the paths of the public API that tracking serves.
var Prefixes = []string{"/v1/tracking"}
