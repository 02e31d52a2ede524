package ordersapi

import _ "embed"

// Prefixes are the paths of this module's REST operations. GET /v1/orders/{id} is composed by the gateway; its part is GetOrder.
var Prefixes = []string{"/v1/orders"}

// OpenAPI is this module's part of the API's description.
//
//go:embed openapi.yaml
var OpenAPI []byte
