// Package notificationsapi is the contract of notifications: what other modules may call, and its part of the public API. It imports no
// other module.
package notificationsapi

import _ "embed" // for OpenAPI

// OpenAPI is this module's part of the description of the public API: paths and schemas, which the gateway merges with the others' and
// with the components that all share.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Prefixes are the paths of the public API that this module serves.
var Prefixes = []string{"/v1/notifications"}
