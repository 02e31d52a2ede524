package gateway

import (
	"kerf/modules/gateway/internal"
)

// Config says what the gateway asks, what it tells of, and what it passes on.
type Config = internal.Config

// Remote is a module in another process, to which requests are passed on.
type Remote = internal.Remote

// Module is the gateway, wired: its Routes.
type Module struct{ *internal.Gateway }

// New makes the module.
func New(config Config) *Module { return &Module{internal.New(config)} }
