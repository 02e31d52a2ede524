//go:build !linux

package usage

import (
	"errors"
	"time"
)

var errUnsupported = errors.New("usage: what processes use is known on Linux only")

func supported() error { return errUnsupported }

func cpuTime(int) (time.Duration, error) { return 0, errUnsupported }

// CPUTime is the user and system time that a process has used so far, without its children.
func CPUTime(pid int) (time.Duration, error) { return cpuTime(pid) }

type stat struct {
	state   byte
	reaped  time.Duration
	started uint64
}

func readStat(int) (stat, error) { return stat{}, errUnsupported }

func children(int) []int { return nil }

func readBytes(int) bytesMoved { return bytesMoved{} }

func readSwitches(int) map[int]switches { return nil }

func readPSS(int) float64 { return 0 }

func readSettings(int) map[string]string { return nil }

type machine struct {
	cores        int
	idle, stolen time.Duration
}

func readMachine() (machine, error) { return machine{}, errUnsupported }
