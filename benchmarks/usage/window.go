package usage

// Role is the part that a process plays.
type Role string

// The roles. Rest is what the machine did besides: /proc/stat less all that is known.
const (
	Modules   Role = "modules"
	Broker    Role = "broker"
	Database  Role = "database"
	Generator Role = "generator"
	Launcher  Role = "launcher" // the topology itself
	Planted   Role = "planted"  // a burner, which counts as modules
	Rest      Role = "rest"
)

// Window is what was used between two moments.
type Window struct {
	Seconds   float64   `json:"seconds"`
	Processes []Process `json:"processes"`
	// CPU is in seconds by role, Rest included, which can be a little below 0: idle time is known in ticks of 10 ms.
	CPU map[Role]float64 `json:"cpu_seconds"`
	// Cores is the number of processors; Stolen is the CPU time that the hypervisor gave to others, in seconds.
	Cores  int     `json:"cores"`
	Stolen float64 `json:"stolen_seconds"`
}

// Process is what one process used in a window: a server with its children, and with its successor if it was started again.
type Process struct {
	Name string `json:"name"`
	Role Role   `json:"role"`
	// PID is that at the end.
	PID int `json:"pid"`
	// CPU is user and system time, in seconds.
	CPU float64 `json:"cpu_seconds"`
	// PSS is the proportional memory at the end of the window, in MiB; 0 if the process had ended, or the system does not tell.
	PSS     float64 `json:"pss_mib"`
	Threads int     `json:"threads"`
	// Switches of context of the threads that there are at the end, and bytes that passed through read and write calls (files, and the sockets of
	// programs that do not call send and recv, as those of Go do not) and to and from the disk. What a process did of these before it died is not known.
	VoluntarySwitches   int64 `json:"voluntary_switches"`
	InvoluntarySwitches int64 `json:"involuntary_switches"`
	BytesRead           int64 `json:"bytes_read"`
	BytesWritten        int64 `json:"bytes_written"`
	DiskRead            int64 `json:"disk_read"`
	DiskWritten         int64 `json:"disk_written"`
	// Settings are GOMAXPROCS, GOGC and GOMEMLIMIT of its environment, where set.
	Settings map[string]string `json:"settings,omitempty"`
}
