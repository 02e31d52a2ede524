package gateway

import (
	"kerf/modules/gateway/internal"
)

// Config says what the gateway asks, and what it tells of.
type Config = internal.Config

// Module is the gateway, wired: its Routes.
type Module struct{ *internal.Gateway }

// New makes the module.
func New(config Config) *Module { return &Module{internal.New(config)} }
