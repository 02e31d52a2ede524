package lab

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Schema is the version of all files of an output folder.
const Schema = 1

// Plan is what the runs of an output folder are for. Runs of two plans are not compared, so a folder has one: OUT/plan.json.
type Plan struct {
	Schema  int    `json:"schema"`
	Version string `json:"version"`
	// Machine is its processor and number of cores.
	Machine string `json:"machine"`
	// Seed is the source of all that is random.
	Seed        uint64    `json:"seed"`
	Setting     Sheet     `json:"setting"`
	Experiments []Planned `json:"experiments"`
}

// Planned is an experiment as it is made here.
type Planned struct {
	ID    string         `json:"id"`
	Arms  []Arm          `json:"arms"`
	Runs  map[string]int `json:"runs"` // by the arm's name
	Notes []string       `json:"notes,omitempty"`
	// Files are digests of the arms' topology files.
	Files map[string]string `json:"files,omitempty"`
	// Estimates are the seconds of a run by the arm's name.
	Estimates map[string]float64 `json:"estimated_seconds"`
}

// Sheet is a Setting as it is written down: without the place of the source.
type Sheet struct {
	Profile    string   `json:"profile"`
	Runs       int      `json:"runs"`
	Warmup     float64  `json:"warmup_seconds"`
	Window     float64  `json:"window_seconds"`
	Instances  string   `json:"instances,omitempty"`
	Topologies []string `json:"topologies,omitempty"`
	Kafka      bool     `json:"kafka"`
	RabbitMQ   bool     `json:"rabbitmq"`
	Postgres   bool     `json:"postgres"`
	Strict     bool     `json:"strict,omitempty"`
}

func sheet(s Setting) Sheet {
	return Sheet{
		Profile: s.Profile.Name, Runs: s.Profile.Runs, Warmup: s.Profile.Warmup.Seconds(), Window: s.Profile.Window.Seconds(),
		Instances: s.Instances, Topologies: s.Topologies, Kafka: s.Kafka, RabbitMQ: s.RabbitMQ, Postgres: s.Postgres, Strict: s.Strict,
	}
}

func (s Sheet) setting() Setting {
	seconds := func(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
	return Setting{
		Profile:   Profile{Name: s.Profile, Runs: s.Runs, Warmup: seconds(s.Warmup), Window: seconds(s.Window)},
		Instances: s.Instances, Topologies: s.Topologies, Kafka: s.Kafka, RabbitMQ: s.RabbitMQ, Postgres: s.Postgres, Strict: s.Strict,
	}
}

// Prepare says how experiments are made in a setting. The error says which of them cannot be.
func Prepare(experiments []Experiment, setting Setting) ([]Planned, error) {
	planned := make([]Planned, 0, len(experiments))
	for _, e := range experiments {
		p, err := prepare(e, setting)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", e.ID, err)
		}
		planned = append(planned, p)
	}
	return planned, nil
}

func prepare(e Experiment, setting Setting) (Planned, error) {
	arms, notes, err := e.Arms(setting)
	if err != nil {
		return Planned{}, err
	}
	if len(arms) == 0 {
		return Planned{}, errors.New("nothing of it can be run here: " + strings.Join(notes, "; "))
	}
	p := Planned{ID: e.ID, Notes: notes, Runs: map[string]int{}, Files: map[string]string{}, Estimates: map[string]float64{}}
	for _, arm := range arms {
		if _, twice := p.Runs[arm.Name]; twice {
			return Planned{}, fmt.Errorf("two arms are called %s; topology files need names of their own", arm.Name)
		}
		p.Runs[arm.Name] = e.Runs(setting.Profile, arm)
		p.Estimates[arm.Name] = e.Seconds(setting.Profile, arm)
		if arm.Topology != "" {
			content, err := os.ReadFile(located(setting.Source, arm.Topology))
			if err != nil {
				return Planned{}, err
			}
			arm.Topology = portable(setting.Source, arm.Topology)
			sum := sha256.Sum256(content)
			p.Files[arm.Topology] = hex.EncodeToString(sum[:6])
		}
		p.Arms = append(p.Arms, arm)
	}
	return p, nil
}

// portable is a file's path from the folder of the source, if it is in there.
func portable(source, path string) string {
	within, err := filepath.Rel(source, path)
	if source == "" || err != nil || !filepath.IsLocal(within) {
		return path
	}
	return filepath.ToSlash(within)
}

// Seconds is the estimate of all runs together.
func (p Planned) Seconds() float64 {
	var sum float64
	for arm, runs := range p.Runs {
		sum += float64(runs) * p.Estimates[arm]
	}
	return sum
}

// join gives the plan of a folder that has one already and gets more experiments. The error says what does not fit together.
func (p Plan) join(more Plan) (Plan, error) {
	differ := func(what string, there, here any) error {
		return fmt.Errorf("was begun with %s %v, and this is %v: choose another folder", what, there, here)
	}
	switch {
	case p.Schema != more.Schema:
		return p, differ("schema", p.Schema, more.Schema)
	case p.Version != more.Version:
		return p, differ("version", p.Version, more.Version)
	case p.Machine != more.Machine:
		return p, differ("the machine", p.Machine, more.Machine)
	case p.Setting.Profile != more.Setting.Profile || p.Setting.Runs != more.Setting.Runs ||
		p.Setting.Warmup != more.Setting.Warmup || p.Setting.Window != more.Setting.Window:
		return p, differ("the profile", p.Setting.Profile, more.Setting.Profile)
	case p.Setting.Instances != more.Setting.Instances:
		return p, differ("the instances", p.Setting.Instances, more.Setting.Instances)
	case p.Seed != more.Seed:
		return p, differ("seed", p.Seed, more.Seed)
	}
	joined := p
	joined.Setting = more.Setting
	joined.Experiments = slices.Clone(p.Experiments)
	for _, e := range more.Experiments {
		i := slices.IndexFunc(p.Experiments, func(there Planned) bool { return there.ID == e.ID })
		if i < 0 {
			joined.Experiments = append(joined.Experiments, e)
			continue
		}
		if what := p.Experiments[i].differs(e); what != "" {
			return p, fmt.Errorf("has runs of %s with other %s: choose another folder", e.ID, what)
		}
		joined.Experiments[i] = e
	}
	return joined, nil
}

// differs says what makes runs of the two incomparable, "" if nothing does.
func (p Planned) differs(from Planned) string {
	names := func(arms []Arm) (all []string) {
		for _, arm := range arms {
			all = append(all, arm.Name)
		}
		return all
	}
	switch {
	case !slices.Equal(names(p.Arms), names(from.Arms)):
		return fmt.Sprintf("arms, %s, where this would have %s", strings.Join(names(p.Arms), ", "), strings.Join(names(from.Arms), ", "))
	case !alike(p.Arms, from.Arms):
		return "settings of its arms"
	case !maps.Equal(p.Files, from.Files):
		return "topology files"
	case !maps.Equal(p.Runs, from.Runs):
		return "numbers of runs"
	}
	return ""
}

// alike compares as JSON, which is what one of them was read from.
func alike(a, b []Arm) bool {
	left, errLeft := json.Marshal(a)
	right, errRight := json.Marshal(b)
	return errLeft == nil && errRight == nil && bytes.Equal(left, right)
}

// located is where a file lies that portable named, or that an experiment names from the folder of the source.
func located(source, path string) string {
	if path == "" || source == "" || filepath.IsAbs(path) {
		return path
	}
	if within := filepath.Join(source, filepath.FromSlash(path)); exists(within) {
		return within
	}
	return path
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// NewPlan is a plan for experiments as they are made in a setting.
func NewPlan(version string, seed uint64, setting Setting, experiments []Planned) Plan {
	return Plan{Schema: Schema, Version: version, Machine: Machine(), Seed: seed, Setting: sheet(setting), Experiments: experiments}
}
