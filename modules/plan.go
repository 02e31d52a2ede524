package modules

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"text/tabwriter"

	"kerf/platform/config"
	"kerf/platform/process"
	"kerf/platform/telemetry"
)

// asks says which module calls which: what compose hands to each constructor. A test compares it with the contracts that the modules use.
var asks = map[string][]string{
	"orders":        {"restaurants", "consumers", "kitchen", "accounting", "delivery"},
	"notifications": {"consumers"},
	"gateway":       {"orders", "kitchen", "delivery", "accounting"},
}

// WritePlan prints what would run where, and who talks to whom: the calls, and the events that modules hear from each other. It composes
// the modules on an empty folder that it removes again, so it tells what is wired and not what was once written down.
func WritePlan(w io.Writer, cfg config.Config) (err error) {
	dir, err := os.MkdirTemp("", "kerf-plan-")
	if err != nil {
		return fmt.Errorf("a folder for the plan: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }()
	wired := cfg
	wired.Data, wired.Database.Dir = dir, dir
	tel, err := telemetry.New(context.Background(), telemetry.LogConfig{Level: "error", Format: "text"}, telemetry.TraceConfig{Traces: "off"}, "plan", io.Discard)
	if err != nil {
		return err
	}
	group := process.NewGroup(slog.New(slog.DiscardHandler), process.NewHealth(), cfg.Drain)
	defer func() { _ = group.Close(context.Background()) }()
	s, err := newSystem(context.Background(), wired, tel, group, "plan")
	if err != nil {
		return err
	}
	if err := s.compose(); err != nil {
		return err
	}

	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintf(table, "edge\t%s\n", cfg.Listen)
	fmt.Fprintf(table, "internal\t%s (health, metrics)\n", cfg.Internal.Listen)
	fmt.Fprintf(table, "events\t%s\n", cfg.Bus.Driver)
	fmt.Fprintf(table, "data\t%s, a file for each module in %s\n", cfg.Database.Driver, cfg.Database.Dir)
	fmt.Fprintf(table, "\nmodule\tplaced\tcalls\thears\n")
	for _, name := range Names {
		hears := make([]string, 0, len(s.hears[name]))
		for _, subscription := range s.hears[name] {
			hears = append(hears, subscription.Module)
		}
		fmt.Fprintf(table, "%s\t%s\t%s\t%s\n", name, cfg.Placement, list(asks[name]), list(hears))
	}
	return table.Flush()
}

func list(names []string) string {
	if len(names) == 0 {
		return "–"
	}
	return strings.Join(names, ", ")
}
