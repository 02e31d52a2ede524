package lab

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"slices"

	"github.com/gofrs/flock"

	"kerf/platform/atomicfile"
)

// Folder is an output folder. Its files are whole at every moment, so that whatever ends the program, the next one goes on.
type Folder struct {
	Dir  string
	Plan Plan
	lock *flock.Flock
}

// Names of the files of an output folder.
const (
	planFile        = "plan.json"
	environmentFile = "environment.json"
	resultsFile     = "results.json"
	runsFolder      = "runs"
	trialsFolder    = "trials"
)

// Open takes an output folder, which is made if it is missing, for these experiments. If it has a plan already, the two become one; the error says, in
// one line, why they cannot, or that another process is at work there.
func Open(dir string, plan Plan) (*Folder, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	lock := flock.New(filepath.Join(dir, "lock"))
	held, err := lock.TryLock()
	if err != nil {
		return nil, fmt.Errorf("cannot write in %s: %w", dir, err)
	}
	if !held {
		return nil, fmt.Errorf("another process is at work in %s", dir)
	}
	f := &Folder{Dir: dir, Plan: plan, lock: lock}
	if err := f.adopt(); err != nil {
		return nil, errors.Join(err, lock.Unlock())
	}
	return f, nil
}

func (f *Folder) adopt() error {
	there, err := ReadPlan(f.Dir)
	switch {
	case err == nil:
		if f.Plan, err = there.join(f.Plan); err != nil {
			return fmt.Errorf("%s %w", f.Dir, err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	return f.write(planFile, f.Plan)
}

// Close lets others have the folder.
func (f *Folder) Close() error { return f.lock.Unlock() }

// ReadPlan gives the plan of an output folder. The error is fs.ErrNotExist if it has none.
func ReadPlan(dir string) (Plan, error) {
	var plan Plan
	err := read(filepath.Join(dir, planFile), &plan)
	return plan, err
}

// Records are all attempts of an experiment, in the order in which they were made.
func (f *Folder) Records(id string) ([]Record, error) { return records(f.Dir, id) }

func records(dir, id string) ([]Record, error) {
	files, err := filepath.Glob(filepath.Join(dir, runsFolder, id, "*.json"))
	if err != nil {
		return nil, err
	}
	all := make([]Record, len(files))
	for i, file := range files {
		if err := read(file, &all[i]); err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(all, func(a, b Record) int { return a.Started.Compare(b.Started) })
	return all, nil
}

// Save keeps a run: OUT/runs/E1/03-2-split-kafka-1.json is block 3, second in it, first attempt.
func (f *Folder) Save(r *Record) error {
	clean(r)
	return f.write(filepath.Join(runsFolder, r.Experiment, r.name()+".json"), r)
}

func (r *Record) name() string {
	return fmt.Sprintf("%02d-%d-%s-%d", r.Block, r.Position, url.PathEscape(r.Arm), r.Attempt)
}

// trial is the folder of a run's data, empty.
func (f *Folder) trial(r *Record) (string, error) {
	dir := filepath.Join(f.Dir, trialsFolder, r.Experiment+"-"+r.name())
	return dir, errors.Join(os.RemoveAll(dir), os.MkdirAll(dir, 0o755))
}

// SaveEnvironment keeps where the runs are made. Earlier sessions are kept.
func (f *Folder) SaveEnvironment(e Environment) error { return f.write(environmentFile, e) }

// Sessions are the earlier times that the runner worked on the folder.
func (f *Folder) Sessions() []Session {
	environment, err := readEnvironment(f.Dir)
	if err != nil {
		return nil
	}
	return environment.Sessions
}

func readEnvironment(dir string) (Environment, error) {
	var environment Environment
	err := read(filepath.Join(dir, environmentFile), &environment)
	return environment, err
}

func (f *Folder) write(name string, content any) error {
	return write(filepath.Join(f.Dir, name), content)
}

func write(path string, content any) error {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetIndent("", " ")
	encoder.SetEscapeHTML(false) // "p99 < 2 ms" is for people too
	if err := encoder.Encode(content); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return atomicfile.Write(path, text.Bytes(), 0o644)
}

func read(path string, into any) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(text, into); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// clean leaves out what is no number, which JSON cannot hold and which tells nothing.
func clean(r *Record) {
	for name, value := range r.Values {
		if math.IsNaN(value) || math.IsInf(value, 0) {
			delete(r.Values, name)
		}
	}
	for _, points := range []map[string][]Point{r.Series, r.Curves} {
		for name, all := range points {
			points[name] = slices.DeleteFunc(all, func(p Point) bool {
				return math.IsNaN(p.X+p.Y) || math.IsInf(p.X, 0) || math.IsInf(p.Y, 0)
			})
		}
	}
	if s := r.Steadiness; s != nil && (math.IsNaN(s.Ratio+s.Noise) || math.IsInf(s.Ratio+s.Noise, 0)) {
		r.Steadiness = nil
	}
}
