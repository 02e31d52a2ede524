package config

import (
	"time"

	"kerf/platform/telemetry"
)

// Config is what a process shall be. The tags are the keys; see Default for the
// defaults.
type Config struct {
	Modules   []string              `koanf:"modules"`   // all
	Listen    string                `koanf:"listen"`    // the public edge; port 0 means a free one
	Internal  Internal              `koanf:"internal"`  //
	Placement string                `koanf:"placement"` // local; checked and wire are for tests
	Data      string                `koanf:"data"`      // folder of everything that is kept: clock, keys, databases
	Bus       Bus                   `koanf:"bus"`
	Database  Database              `koanf:"database"`
	Speed     float64               `koanf:"speed"` // of the domain clock; 0 keeps that of the last run
	Demo      bool                  `koanf:"demo"`  // play a small demo city in an empty data folder
	Drain     time.Duration         `koanf:"drain"` // how long requests and work in hand may take to end
	Log       telemetry.LogConfig   `koanf:"log"`
	Telemetry telemetry.TraceConfig `koanf:"telemetry"`
	Identity  Identity              `koanf:"identity"`

	// What the command line asks for instead of serving. They are no keys.
	Plan    bool `koanf:"-"`
	Version bool `koanf:"-"`
}

// Internal is what other processes, operators and Prometheus see.
type Internal struct {
	Listen string `koanf:"listen"` // port 0 means a free one, which the log tells
}

// Bus carries events between modules.
type Bus struct {
	Driver string `koanf:"driver"` // memory
}

// Database keeps what modules own.
type Database struct {
	Driver string `koanf:"driver"` // sqlite
	Dir    string `koanf:"dir"`    // folder of the files; if not set, that of Config.Data
}

// Identity says who may tell who somebody is.
type Identity struct {
	LocalIssuer bool `koanf:"local_issuer"` // POST /v1/tokens makes tokens, for callers on this machine
}

// Values that have a closed set.
var (
	Placements = []string{"local", "checked", "wire"}
	Buses      = []string{"memory"}
	Databases  = []string{"sqlite"}
)

// Default is the monolith that needs nothing but a folder.
func Default() Config {
	return Config{
		Modules:   []string{"all"},
		Listen:    "127.0.0.1:8080",
		Internal:  Internal{Listen: "127.0.0.1:0"},
		Placement: "local",
		Data:      "data",
		Bus:       Bus{Driver: "memory"},
		Database:  Database{Driver: "sqlite"},
		Demo:      true,
		Drain:     10 * time.Second,
		Log:       telemetry.LogConfig{Level: "info", Format: "auto"},
		Telemetry: telemetry.TraceConfig{Traces: "off", Endpoint: "http://127.0.0.1:4317", File: "spans.jsonl", Sample: 0.01},
		Identity:  Identity{LocalIssuer: true},
	}
}
