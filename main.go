// Command kerf is the monolith: every module in one process.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"runtime/debug"

	"kerf/modules"
	"kerf/platform/config"
	"kerf/platform/process"
)

func main() { os.Exit(process.Main(os.Stderr, run)) }

func run(ctx context.Context) error {
	command := config.Command{Name: "kerf", Defaults: config.Default()}
	cfg, err := config.Load(os.Args[1:], os.Environ(), command)
	if errors.Is(err, flag.ErrHelp) {
		config.WriteUsage(os.Stdout, command)
		return nil
	}
	if err != nil {
		return err
	}
	switch {
	case cfg.Version:
		fmt.Println("kerf", version())
		return nil
	case cfg.Plan:
		return modules.WritePlan(os.Stdout, cfg)
	}
	return modules.Serve(ctx, cfg, modules.Options{Version: version(), Stdout: os.Stdout, Stderr: os.Stderr, Beside: demo(cfg)})
}

// version is that of the module or the commit that was built.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	version := info.Main.Version
	for _, setting := range info.Settings {
		if setting.Key == "vcs.revision" && version == "(devel)" {
			version = setting.Value[:min(12, len(setting.Value))]
		}
	}
	return version
}
