// Command kerf is the monolith: every module in one process.
package main

import (
	"context"
	"os"

	"kerf/modules"
	"kerf/platform/config"
	"kerf/platform/process"
)

func main() {
	os.Exit(process.Main(os.Stderr, func(ctx context.Context) error {
		monolith := modules.Program{Name: "kerf", Defaults: config.Default(), Beside: demo}
		return monolith.Run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	}))
}
