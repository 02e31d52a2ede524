package lab

import (
	"context"
	"time"
)

// Experiment is a question, and how it is asked.
type Experiment struct {
	// ID is E0, E1, …; Title one or two words.
	ID, Title string
	Question  string
	// Hypothesis is what is expected, written before the first run.
	Hypothesis string
	// Published is what others found.
	Published []Finding
	// Metrics are what a run tells, in the order of the report; the verdict is about the first.
	Metrics []Metric
	// Arms are what is compared on this machine; the first is the baseline. Notes say what was left out or replaced, and why.
	Arms func(Setting) (arms []Arm, notes []string, err error)
	// Runs is how many runs of an arm count.
	Runs func(Profile, Arm) int
	// Seconds estimates one run of an arm, from the start of its processes to the end of its checks.
	Seconds func(Profile, Arm) float64
	// Run makes one run. What it measured and found is in the trial's record; an error means that there is nothing to record.
	Run func(context.Context, *Trial) error
	// Conclude judges the hypothesis by the runs that count.
	Conclude func(*Findings) Conclusion
}

// Finding is something published, beside which the report puts what was found here.
type Finding struct {
	Source string // who, when, where
	Found  string
}

// Metric is a number that each run of an experiment yields.
type Metric struct {
	Name string // snake_case: cpu_ms_per_order
	// Label is for readers: "CPU per order".
	Label string
	// Unit is ms, s, MiB, 1/s, B, or "" for a plain number.
	Unit string
	// More says that more is better; otherwise less is. Neutral says that neither is: such a metric explains others.
	More, Neutral bool
	// Headline metrics stand in the report's first table.
	Headline bool
}

// Arm is one of the things compared.
type Arm struct {
	Name  string // of the arm in files: split-kafka
	Label string // for readers: "one process per module, Apache Kafka, SQLite"
	// Topology is the topology file that is started, "" where the arm is none.
	Topology string
	// Kfake says that kfake stands in where the file asks for Apache Kafka.
	Kfake bool
	// Config is laid over the file's config for all processes, by dotted key: {"bus.format": "json"}.
	Config map[string]any
	// Parameters are the experiment's own: {"burn": 0.15}, {"protocol": "grpc"}.
	Parameters map[string]any
}

// Profile is how much effort is made.
type Profile struct {
	Name string // quick or full
	// Runs of each arm.
	Runs int
	// Warmup passes before anything counts; Window is what counts.
	Warmup, Window time.Duration
}

// The two profiles. Quick is made for two cores and a bit more than an hour for all experiments together.
var (
	Quick = Profile{Name: "quick", Runs: 6, Warmup: 5 * time.Second, Window: 10 * time.Second}
	Full  = Profile{Name: "full", Runs: 12, Warmup: 8 * time.Second, Window: 30 * time.Second}
)

// Setting is what the machine has and what its user wants.
type Setting struct {
	Profile Profile
	// Source is the folder of Kerf's source, where topology files lie.
	Source string
	// Instances is a folder of recorded days, "" for the day that the project ships.
	Instances string
	// Topologies are files of the user's, each an arm more where topologies are compared.
	Topologies []string
	// Kafka, RabbitMQ and Postgres say whether the server is installed here.
	Kafka, RabbitMQ, Postgres bool
	// Strict makes a missing server an error, where otherwise kfake stands in or an arm is left out.
	Strict bool
}

// Trial is one run about to be made.
type Trial struct {
	Setting    Setting
	Experiment string
	Arm        Arm
	// Block counts from 1.
	Block int
	// Seed is the source of all that is random in the run. It is the same for all arms of a block, so that they get the same load.
	Seed uint64
	// Dir is an empty folder for the run's data, which is removed afterwards unless the run failed.
	Dir string
	// Launcher is the built cmd/topology; Self is this program, which is also the burner, the bus bench and other children.
	Launcher, Self string
	// Stage tells the progress line what happens now: "warm-up".
	Stage func(what string)
	// Record is what the run fills in.
	Record *Record
}
