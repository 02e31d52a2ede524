package stand

import (
	"context"
	"errors"
	"log/slog"
	"time"

	"kerf/benchmarks/usage"
	"kerf/cmd/topology/status"
)

// Config says what is started.
type Config struct {
	// Launcher is the program cmd/topology: see Build.
	Launcher string
	// Topology is the topology file.
	Topology string
	// Kfake has kfake stand in where the file asks for Apache Kafka.
	Kfake bool
	// Overrides are laid over the configuration of all processes, by dotted key.
	Overrides map[string]any
	// Env are variables more (KEY=value) for the topology and all that it starts: GOMAXPROCS=1.
	Env []string
	// Dir is an empty folder for data, log and the topology file as it was started.
	Dir string
	// Speed is that of domain time; 0 is 1.
	Speed float64
	// Startup bounds the time until it is ready: 90 s if 0.
	Startup time.Duration
	Log     *slog.Logger
}

// Stand is a topology that runs.
type Stand struct{}

// Start starts a topology and waits until it is ready.
func Start(ctx context.Context, c Config) (*Stand, error) { return nil, errors.New("stand: not yet") }

// URL is that of the public API.
func (s *Stand) URL() string { return "" }

// Status is what the topology tells of itself.
func (s *Stand) Status() (status.Topology, error) { return status.Topology{}, nil }

// Groups are all processes by the parts they play, a planted burner included; this process, the generator, too.
func (s *Stand) Groups() ([]usage.Group, error) { return nil, nil }

// Watch watches Groups. A burner must have been planted before.
func (s *Stand) Watch() (*usage.Watcher, error) { return nil, nil }

// Kill kills a process or server by its name in the topology, which starts it again. It returns when that was.
func (s *Stand) Kill(name string) (time.Time, error) { return time.Time{}, nil }

// Pause stops a process or server with all its children in their tracks, until Resume.
func (s *Stand) Pause(name string) (time.Time, error) { return time.Time{}, nil }

// Resume has what Pause stopped go on.
func (s *Stand) Resume(name string) (time.Time, error) { return time.Time{}, nil }

// Ready waits until a process is ready: one that was killed, until its successor is. It returns when that was seen.
func (s *Stand) Ready(ctx context.Context, name string) (time.Time, error) { return time.Time{}, nil }

// Plant starts a burner beside the modules: a child of the program self that uses share of the CPU that they use.
func (s *Stand) Plant(ctx context.Context, self string, share float64) error { return nil }

// Facts are what the fairness sheet tells of the arm.
func (s *Stand) Facts() map[string]string { return nil }

// Ended is closed when the topology has ended, be it by Stop or by itself.
func (s *Stand) Ended() <-chan struct{} { return nil }

// Stop ends everything, gently at first, and returns when nothing is left. The error says what had to be killed. A second Stop does nothing.
func (s *Stand) Stop(ctx context.Context) error { return nil }
