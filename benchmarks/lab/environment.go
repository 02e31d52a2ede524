package lab

import "time"

// Environment is where and how the runs of an output folder were made.
type Environment struct {
	Schema int `json:"schema"`
	// Version is the commit of the code that was measured, with "+" and a digest of the changes if the tree was not as committed.
	Version string `json:"version"`
	// Changed lists the files that differed from the commit, Markdown, tests and results left out.
	Changed []string `json:"changed,omitempty"`
	Go      string   `json:"go"`
	// CPU is the processor's model, Cores how many of them the kernel shows, Memory in MiB.
	CPU          string `json:"cpu"`
	Cores        int    `json:"cores"`
	Memory       int64  `json:"memory_mib"`
	OS           string `json:"os"` // with architecture: linux/amd64
	Kernel       string `json:"kernel"`
	Distribution string `json:"distribution"`
	// Filesystem is the type of that on which the runs keep their data, and Fsync how long an appended block of 4 KiB takes to be on its disk.
	Filesystem string  `json:"filesystem"`
	Fsync      Latency `json:"fsync"`
	// Limits are those of the control group, as its files say: "cpu.max": "200000 100000".
	Limits map[string]string `json:"limits,omitempty"`
	// Settings are GOMAXPROCS, GOGC and GOMEMLIMIT of the generator, as in force.
	Settings map[string]string `json:"settings"`
	// Servers are the versions of those installed here, by name.
	Servers map[string]string `json:"servers"`
	// Sessions are the times that the runner worked on this folder; more than one if it was interrupted.
	Sessions []Session `json:"sessions"`
}

// Session is one time that the runner worked.
type Session struct {
	Command []string  `json:"command"`
	Started time.Time `json:"started"`
	Ended   time.Time `json:"ended,omitzero"`
	// Load is the load average of 1, 5 and 15 minutes when it began.
	Load [3]float64 `json:"load"`
	// Stolen is the share of the machine's CPU time that its hypervisor gave to others meanwhile.
	Stolen float64 `json:"stolen_share"`
	// End is complete, incomplete, cut short, or failed.
	End string `json:"end,omitempty"`

	stolen, total float64 // ticks when it began
}

// Latency is a distribution of a few durations, in milliseconds.
type Latency struct {
	N      int     `json:"n"`
	Median float64 `json:"median_ms"`
	P99    float64 `json:"p99_ms"`
}
