// Package status is what a topology tells of itself while it runs: DATA/topology.json, for scripts, tests and the laboratory, which find processes,
// addresses and states there.
//
// The file is replaced as a whole at every change, so a reader never sees half of it. It stays when the topology has ended, with state "ended"; after
// a topology that was killed it tells of processes that are gone: ask Alive.
package status

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"kerf/platform/atomicfile"
)

// File is the name of the file in the topology's data folder.
const File = "topology.json"

// Topology is the content of the file.
type Topology struct {
	// PID is that of the topology itself.
	PID int `json:"pid"`
	// State is starting, ready, draining or ended.
	State string `json:"state"`
	// URL is that of the public API, "" if no process serves it.
	URL string `json:"url,omitempty"`
	// Config is the topology file.
	Config  string    `json:"config"`
	Started time.Time `json:"started"`
	TLS     bool      `json:"tls"`
	// CA is the certificate that the processes' listeners can be verified with, "" without TLS.
	CA        string    `json:"ca,omitempty"`
	Processes []Process `json:"processes"`
	Servers   []Server  `json:"servers"`
}

// Child is what processes and servers have in common.
type Child struct {
	Name string `json:"name"`
	// State is pending, starting, ready, waiting (for the next start), stopping or ended.
	State string `json:"state"`
	// PID is 0 while it does not run.
	PID      int `json:"pid"`
	Restarts int `json:"restarts"`
	// Since is when it was started or ended last.
	Since time.Time `json:"since"`
	// Ended says how it ended last: "exit status 1", "signal: killed".
	Ended string `json:"ended,omitempty"`
}

// Process is one replica of a process of the topology file.
type Process struct {
	Child
	// Process is its name in the topology file, and Replica its number, from 1.
	Process string   `json:"process"`
	Replica int      `json:"replica"`
	Modules []string `json:"modules"`
	// Internal is the address of operations, health and metrics; Listen that of the public API, "" without the gateway.
	Internal string `json:"internal"`
	Listen   string `json:"listen,omitempty"`
	// Config is the file with the whole configuration.
	Config string `json:"config"`
}

// Server is a broker or a database, or a program that it needs.
type Server struct {
	Child
	// Address is host:port.
	Address string `json:"address,omitempty"`
	// URL is what clients of RabbitMQ, and PostgreSQL's administrator, are told. It holds a password; the file is its owner's alone.
	URL string `json:"url,omitempty"`
}

// Alive tells whether the topology that wrote this still runs.
func (t Topology) Alive() bool {
	return t.State != "ended" && t.PID > 0 && syscall.Kill(t.PID, 0) == nil
}

// Find gives a process by its name.
func (t Topology) Find(name string) (Process, bool) {
	for _, p := range t.Processes {
		if p.Name == name {
			return p, true
		}
	}
	return Process{}, false
}

// Read reads what the topology with its data in dir tells.
func Read(dir string) (Topology, error) {
	var t Topology
	content, err := os.ReadFile(filepath.Join(dir, File))
	if err != nil {
		return t, err
	}
	if err := json.Unmarshal(content, &t); err != nil {
		return t, fmt.Errorf("%s: %w", filepath.Join(dir, File), err)
	}
	return t, nil
}

// Write replaces the file. Only its owner may read it.
func Write(dir string, t Topology) error {
	content, err := json.MarshalIndent(t, "", "  ")
	if err != nil {
		return err
	}
	return atomicfile.Write(filepath.Join(dir, File), append(content, '\n'), 0o600)
}
