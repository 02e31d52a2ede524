// Package deliveryapi is delivery's contract: what other modules may call, what delivery publishes, and its part of the public API.
// It imports no other module.
package deliveryapi

import _ "embed" // for OpenAPI

// OpenAPI is delivery's part of the description of the public API: paths and schemas, which the gateway merges with the others' and
// with the components that all share.
//
//go:embed openapi.yaml
var OpenAPI []byte

// Prefixes are the paths of the public API that delivery serves.
var Prefixes = []string{"/v1/deliveries", "/v1/couriers"}

// PositionsTopic is where CourierMoved is published. It is lossy, and heard without a group.
const PositionsTopic = "kerf.delivery.positions.v1"
