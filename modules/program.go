package modules

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"kerf/platform/clock"
	"kerf/platform/config"
	"kerf/platform/database"
	"kerf/platform/process"
	"kerf/platform/telemetry"
)

// Program is a command that serves modules.
type Program struct {
	Name     string
	Defaults config.Config
	// Beside returns what Options.Beside shall be for a configuration; nil for nothing.
	Beside func(config.Config) func(url string, clk *clock.Clock, tel *telemetry.Telemetry) []process.Component
}

// Part is the program that serves selected modules: cmd/module. It believes no tokens but those of whom it is told, and plays nothing.
func Part() Program {
	defaults := config.Default()
	defaults.Modules, defaults.Demo, defaults.Identity.LocalIssuer = nil, false, false
	defaults.Internal.Listen = "127.0.0.1:9090"
	return Program{Name: "module", Defaults: defaults}
}

// Command is what reading the configuration has to know of the program.
func (p Program) Command() config.Command {
	return config.Command{Name: p.Name, Defaults: p.Defaults, Modules: catalogue()}
}

// Run reads the configuration from arguments, without the command's name, and environment, and does what it says: it serves until ctx ends,
// or prints what was asked for. The errors are those of config.Load and of Serve.
func (p Program) Run(ctx context.Context, args, environ []string, stdout, stderr io.Writer) error {
	command := p.Command()
	cfg, err := config.Load(args, environ, command)
	if errors.Is(err, flag.ErrHelp) {
		config.WriteUsage(stdout, command)
		return nil
	}
	if err != nil {
		return err
	}
	version := process.Version()
	switch {
	case cfg.Version:
		_, err := fmt.Fprintln(stdout, "kerf", version)
		return err
	case cfg.Plan:
		return WritePlan(stdout, cfg)
	case cfg.Setup != "":
		return setUp(ctx, cfg, stdout)
	}
	opts := Options{Version: version, Stdout: stdout, Stderr: stderr}
	if p.Beside != nil {
		opts.Beside = p.Beside(cfg)
	}
	return Serve(ctx, cfg, opts)
}

// setUp makes schemas and roles for the placed modules, and prints where each is from now on.
func setUp(ctx context.Context, cfg config.Config, stdout io.Writer) error {
	dsns, err := database.Setup(ctx, cfg.Setup, cfg.Placed(stateful), nil)
	if err != nil {
		return err
	}
	_, err = io.WriteString(stdout, database.SetupText(dsns))
	return err
}
