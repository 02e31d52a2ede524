package config

import (
	"cmp"
	"maps"
	"path/filepath"
	"slices"
	"time"

	"kerf/platform/rpc"
	"kerf/platform/telemetry"
)

// Config is what a process shall be. The tags are the keys; see Default for the
// defaults. What is marked as secret is never printed.
type Config struct {
	Modules   []string            `koanf:"modules"`   // all, or those that are placed in this process
	Listen    string              `koanf:"listen"`    // the public edge, where gateway is placed; port 0 means a free one
	Internal  Internal            `koanf:"internal"`  //
	Placement string              `koanf:"placement"` // local; checked and wire are for tests
	Remotes   map[string][]string `koanf:"remotes"`   // by module: where it answers if it is not placed here; several are replicas
	Calls     Calls               `koanf:"calls"`     // to modules that are not placed here
	Data      string              `koanf:"data"`      // folder of everything that is kept: installation, clock, keys, databases
	// DataShared says that other processes keep their modules in that folder too, so that a module which is not placed here has not
	// left it.
	DataShared bool `koanf:"data_shared"`
	// Installation is the id of the installation that a fresh folder belongs to; if not set, a new one.
	Installation string `koanf:"installation"`

	Bus       Bus                   `koanf:"bus"`
	Database  Database              `koanf:"database"`
	Clock     Clock                 `koanf:"clock"`
	Speed     float64               `koanf:"speed"` // of the domain clock; 0 keeps that of the last run
	Demo      bool                  `koanf:"demo"`  // play a small demo city in an empty data folder
	Drain     time.Duration         `koanf:"drain"` // how long requests and work in hand may take to end
	Log       telemetry.LogConfig   `koanf:"log"`
	Telemetry telemetry.TraceConfig `koanf:"telemetry"`
	Identity  Identity              `koanf:"identity"`

	// What the command line asks for, beside or instead of serving. They are no keys.
	Init    []string `koanf:"-"` // modules whose missing schema is to be made empty
	Adopt   []string `koanf:"-"` // modules whose schema was moved here
	Setup   string   `koanf:"-"` // of an administrator: the server on which schemas and roles are to be made
	Plan    bool     `koanf:"-"`
	Version bool     `koanf:"-"`
}

// Placed gives those of the modules that are placed in this process.
func (c Config) Placed(modules []string) (placed []string) {
	for _, module := range modules {
		if c.Has(module) {
			placed = append(placed, module)
		}
	}
	return placed
}

// clone makes a copy that shares no map with c.
func (c Config) clone() Config {
	c.Remotes, c.Database.Modules, c.Calls.Modules = maps.Clone(c.Remotes), maps.Clone(c.Database.Modules), maps.Clone(c.Calls.Modules)
	return c
}

// Has tells whether a module is placed in this process.
func (c Config) Has(module string) bool {
	return c.All() || slices.Contains(c.Modules, module)
}

// All tells whether every module is placed in this process.
func (c Config) All() bool { return slices.Contains(c.Modules, all) }

const all = "all"

// Schema tells where a module's data is.
func (c Config) Schema(module string) Schema {
	own, common := c.Database.Modules[module], c.Database
	return Schema{
		Driver: cmp.Or(own.Driver, common.Driver), Dir: cmp.Or(own.Dir, common.Dir, c.Data),
		DSN: cmp.Or(own.DSN, common.DSN), Pool: cmp.Or(own.Pool, common.Pool),
	}
}

// KeysDir is the folder of the local issuer's keys.
func (c Config) KeysDir() string { return cmp.Or(c.Identity.Keys, filepath.Join(c.Data, "keys")) }

// Internal is what other processes, operators and Prometheus see.
type Internal struct {
	Listen   string `koanf:"listen"`   // port 0 means a free one, which the log tells
	Protocol string `koanf:"protocol"` // grpc, connect or json: how modules elsewhere are called; all three are answered
	TLS      TLS    `koanf:"tls"`      // without it only processes on this machine are believed
}

// Calls is how calls to modules elsewhere are made.
type Calls struct {
	rpc.Policy `koanf:",squash"`
	Modules    map[string]rpc.Policy `koanf:"modules"` // what differs for calls to a module
}

// For gives the policy of the calls to a module, whole.
func (c Calls) For(module string) rpc.Policy { return c.Over(c.Modules[module]) }

// TLS names PEM files: who this process is, and who vouches for the others.
type TLS struct {
	Cert string `koanf:"cert"`
	Key  string `koanf:"key"`
	CA   string `koanf:"ca"`
}

// On tells whether there is TLS.
func (t TLS) On() bool { return t != TLS{} }

// Bus carries events between modules.
type Bus struct {
	Driver      string   `koanf:"driver"`      // memory, kafka or amqp
	Format      string   `koanf:"format"`      // protobuf or json: what is published; both are read
	Namespace   string   `koanf:"namespace"`   // before the topics' names, where several installations share a broker
	Brokers     []string `koanf:"brokers"`     // of Kafka, host:port
	Replication int      `koanf:"replication"` // of Kafka's topics, when they are made
	URL         string   `koanf:"url" secret:"true"`
	TLS         BusTLS   `koanf:"tls"`
	SASL        SASL     `koanf:"sasl"`
}

// BusTLS is how a broker is reached and whom it sees. Without a CA, the system's are trusted.
type BusTLS struct {
	Enabled    bool   `koanf:"enabled"`     // of Kafka; of AMQP, amqps:// says so
	CA         string `koanf:"ca"`          // PEM file
	Cert       string `koanf:"cert"`        // PEM file, with Key: for brokers that ask who connects
	Key        string `koanf:"key"`         //
	ServerName string `koanf:"server_name"` // in the broker's certificate, if it is not that of the address
}

// SASL is how a process signs in to Kafka.
type SASL struct {
	Mechanism string `koanf:"mechanism"` // plain, scram-sha-256 or scram-sha-512; none if empty
	Username  string `koanf:"username"`
	Password  string `koanf:"password" secret:"true"`
}

// Database keeps what modules own.
type Database struct {
	Driver  string            `koanf:"driver"` // sqlite or postgres
	Dir     string            `koanf:"dir"`    // of SQLite's files; if not set, that of Config.Data
	DSN     string            `koanf:"dsn" secret:"true"`
	Pool    int               `koanf:"pool"` // connections to PostgreSQL that read, for each module
	Modules map[string]Schema `koanf:"modules"`
}

// Schema is where one module's data is, as far as it differs from the others'.
type Schema struct {
	Driver string `koanf:"driver"`
	Dir    string `koanf:"dir"`
	DSN    string `koanf:"dsn" secret:"true"`
	Pool   int    `koanf:"pool"`
}

// Clock is where a process without the gateway takes the domain clock's list from.
type Clock struct {
	File string `koanf:"file"` // clock.json of the process that has the gateway, or of the topology
	URL  string `koanf:"url"`  // GET /v1/clock of the gateway
}

// Identity says who may tell who somebody is.
type Identity struct {
	LocalIssuer bool   `koanf:"local_issuer"` // POST /v1/tokens makes tokens, for callers on this machine
	Keys        string `koanf:"keys"`         // folder of the local issuer's keys; if not set, keys in that of Config.Data
	JWKS        string `koanf:"jwks"`         // URL of the keys that sign tokens, instead of those in a folder
	Issuer      string `koanf:"issuer"`       // that a token must name
	Audience    string `koanf:"audience"`     // that a token must name
}

// Values that have a closed set.
var (
	Placements = []string{"local", "checked", "wire"}
	Protocols  = []string{"grpc", "connect", "json"}
	Buses      = []string{"memory", "kafka", "amqp"}
	Formats    = []string{"protobuf", "json"}
	Mechanisms = []string{"", "plain", "scram-sha-256", "scram-sha-512"}
	Databases  = []string{"sqlite", "postgres"}
)

// Default is the monolith that needs nothing but a folder.
func Default() Config {
	return Config{
		Modules:   []string{all},
		Listen:    "127.0.0.1:8080",
		Internal:  Internal{Listen: "127.0.0.1:0", Protocol: "grpc"},
		Placement: "local",
		Calls:     Calls{Policy: rpc.DefaultPolicy()},
		Data:      "data",
		Bus:       Bus{Driver: "memory", Format: "protobuf", Replication: 1},
		Database:  Database{Driver: "sqlite", Pool: 4},
		Demo:      true,
		Drain:     10 * time.Second,
		Log:       telemetry.LogConfig{Level: "info", Format: "auto"},
		Telemetry: telemetry.TraceConfig{Traces: "off", Endpoint: "http://127.0.0.1:4317", File: "spans.jsonl", Sample: 0.01},
		Identity:  Identity{LocalIssuer: true, Issuer: "kerf", Audience: "kerf"},
	}
}
