package report

import (
	"cmp"
	"encoding/json"
	"html/template"
	"maps"
	"slices"
	"strings"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/report/chart"
)

// fairness is what was the same for all arms of all experiments that have it at all, and what was not.
type fairness struct {
	Everywhere  []fact
	Experiments []fairExperiment
}

// fairExperiment is the rest, for one experiment.
type fairExperiment struct {
	ID, Title string
	Same      []fact
	Different []difference // among those that have it first
}

// difference is a fact that differs among the arms, by value.
type difference struct {
	Name   string
	Values []held
}

// Partly says that the arms that have the fact agree: the others have nothing of the kind.
func (d difference) Partly() bool { return len(d.Values) == 1 }

// held is a value and the arms that have it.
type held struct {
	Value string
	Arms  []heldBy
}

type heldBy struct {
	Key  template.HTML
	Name string
}

func fair(all []*lab.Findings) fairness {
	var sheet fairness
	facts := make([]map[string][]string, len(all)) // by experiment, then by name: a value for each arm
	for i, f := range all {
		facts[i] = factsOf(f)
	}
	everywhere := map[string]string{}
	for _, f := range facts {
		for name := range f {
			if v, ok := same(facts, name); ok {
				everywhere[name] = v
			}
		}
	}
	for _, name := range slices.Sorted(maps.Keys(everywhere)) {
		sheet.Everywhere = append(sheet.Everywhere, fact{name, everywhere[name]})
	}
	for i, f := range all {
		e := fairExperiment{ID: f.Experiment.ID, Title: f.Experiment.Title}
		for _, name := range slices.Sorted(maps.Keys(facts[i])) {
			if _, ok := everywhere[name]; ok {
				continue
			}
			d := differenceOf(f, name, facts[i][name])
			if d.Partly() && len(d.Values[0].Arms) == len(f.Arms) {
				e.Same = append(e.Same, fact{name, d.Values[0].Value})
			} else {
				e.Different = append(e.Different, d)
			}
		}
		slices.SortStableFunc(e.Different, func(a, b difference) int { return b2i(a.Partly()) - b2i(b.Partly()) })
		if len(e.Same)+len(e.Different) > 0 {
			sheet.Experiments = append(sheet.Experiments, e)
		}
	}
	return sheet
}

// factsOf collects the facts of the runs, and what the arms themselves say; an arm's runs that differ among themselves show all values.
func factsOf(f *lab.Findings) map[string][]string {
	facts := map[string][]string{}
	set := func(arm int, name, value string) {
		if facts[name] == nil {
			facts[name] = make([]string, len(f.Arms))
		}
		facts[name][arm] = value
	}
	for i, arm := range f.Arms {
		values := map[string][]string{}
		runs := f.Records[arm.Name]
		for _, r := range f.Void {
			if r.Arm == arm.Name {
				runs = append(slices.Clip(runs), r)
			}
		}
		for _, r := range runs {
			for name, v := range r.Facts {
				if !slices.Contains(values[name], v) {
					values[name] = append(values[name], v)
				}
			}
		}
		for name, vs := range values {
			slices.Sort(vs)
			set(i, name, strings.Join(vs, " | "))
		}
		for key, v := range arm.Config {
			set(i, "config "+key, plain(v))
		}
		for key, v := range arm.Parameters {
			set(i, "parameter "+key, plain(v))
		}
	}
	return facts
}

// plain writes a value of a configuration.
func plain(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	text, err := json.Marshal(v)
	if err != nil {
		return "?"
	}
	return string(text)
}

// same gives the value of a fact if at least two experiments have it, and all their arms that have it agree.
func same(facts []map[string][]string, name string) (value string, ok bool) {
	experiments := 0
	for _, f := range facts {
		experiments += b2i(f[name] != nil)
		for _, v := range f[name] {
			if v != "" && value != "" && v != value {
				return "", false
			}
			value = cmp.Or(value, v)
		}
	}
	return value, experiments > 1
}

func differenceOf(f *lab.Findings, name string, values []string) difference {
	d := difference{Name: name}
	for i, v := range values {
		if v == "" {
			continue
		}
		at := slices.IndexFunc(d.Values, func(h held) bool { return h.Value == v })
		if at < 0 {
			at = len(d.Values)
			d.Values = append(d.Values, held{Value: v})
		}
		d.Values[at].Arms = append(d.Values[at].Arms, heldBy{chart.Key(i), f.Arms[i].Name})
	}
	return d
}
