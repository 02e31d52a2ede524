package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
)

// Read gives what an output folder holds: the findings of each of its experiments, in the order of the experiments given, results and conclusions
// included, whether or not all runs are there. An experiment of the folder that is not among those given is an error.
func Read(out string, experiments []Experiment) ([]*Findings, Environment, error) {
	plan, err := ReadPlan(out)
	if err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			err = fmt.Errorf("%s holds no runs: there is no %s", out, planFile)
		}
		return nil, Environment{}, err
	}
	if plan.Schema != Schema {
		return nil, Environment{}, fmt.Errorf("%s has schema %d, and this program reads %d", out, plan.Schema, Schema)
	}
	environment, err := readEnvironment(out)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, Environment{}, err
	}
	var found []*Findings
	for _, e := range experiments {
		i := slices.IndexFunc(plan.Experiments, func(p Planned) bool { return p.ID == e.ID })
		if i < 0 {
			continue
		}
		f, err := findings(out, e, plan, plan.Experiments[i])
		if err != nil {
			return nil, Environment{}, err
		}
		found = append(found, f)
	}
	for _, p := range plan.Experiments {
		if !slices.ContainsFunc(experiments, func(e Experiment) bool { return e.ID == p.ID }) {
			return nil, Environment{}, fmt.Errorf("%s has runs of %s, which this program does not know", out, p.ID)
		}
	}
	return found, environment, nil
}

func findings(out string, e Experiment, plan Plan, planned Planned) (*Findings, error) {
	all, err := records(out, e.ID)
	if err != nil {
		return nil, err
	}
	c := &course{planned: planned, slots: schedule(planned, plan.Seed), records: all}
	f := &Findings{
		Experiment: e, Setting: plan.Setting.setting(), Arms: planned.Arms, Records: map[string][]Record{},
		Notes: slices.Clone(planned.Notes),
	}
	for _, r := range all {
		switch {
		case r.Failed != "":
			f.Failed = append(f.Failed, r)
		case r.Void != "":
			f.Void = append(f.Void, r)
		default:
			f.Records[r.Arm] = append(f.Records[r.Arm], r)
		}
	}
	for _, records := range f.Records {
		slices.SortStableFunc(records, func(a, b Record) int { return a.Block - b.Block })
	}
	if missing := c.missing(); missing != "" {
		f.Incomplete = true
		f.Notes = append(f.Notes, "Incomplete: "+missing+".")
	}
	f.Results = results(f, planned, plan.Seed)
	f.Conclusion = e.Conclude(f)
	return f, nil
}

// missing says which runs are, "" if none is.
func (c *course) missing() string {
	var arms []string
	none := true
	for _, arm := range c.planned.Arms {
		counts, failed, void := 0, 0, 0
		var last string
		for i := range c.records {
			switch r := &c.records[i]; {
			case r.Arm != arm.Name:
			case r.Failed != "":
				failed, last = failed+1, r.Failed
			case r.Void != "":
				void, last = void+1, r.Void
			default:
				counts++
			}
		}
		planned := c.planned.Runs[arm.Name]
		none = none && counts == 0
		if counts >= planned {
			continue
		}
		what := fmt.Sprintf("%d of %d runs of %s", planned-counts, planned, arm.Name)
		if last != "" {
			what += fmt.Sprintf(" (%d failed, %d void, the last: %s)", failed, void, last)
		}
		arms = append(arms, what)
	}
	switch {
	case len(arms) == 0:
		return ""
	case none && len(c.records) == 0:
		return "not one of its runs was made"
	}
	return "missing " + strings.Join(arms, ", ")
}
