// Package gatewayapi is the contract of the gateway: what the public API describes of itself, and what all modules' descriptions share.
package gatewayapi

import _ "embed"

// OpenAPI is the document into which the modules' parts are merged: the gateway's own paths, and the shared components.
//
//go:embed openapi.yaml
var OpenAPI []byte
