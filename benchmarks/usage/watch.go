package usage

import "time"

// Group is a process, with its children if it has some, that plays a part.
type Group struct {
	Name string
	Role Role
	PID  int
	// Children says that what the process starts is counted with it, whether it still runs or has ended.
	Children bool
	// Next is asked for the PID of the process that took the place of one that has ended; 0 if there is none yet. It may be nil.
	Next func() int
}

// Self is this process, which generates the load.
func Self() Group { return Group{Name: "generator", Role: Generator, PID: self()} }

// sampleEvery is how often processes are looked at within a window, so that what one that dies has used is known until then.
const sampleEvery = 250 * time.Millisecond
