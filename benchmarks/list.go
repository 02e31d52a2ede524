package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"

	"kerf/benchmarks/experiments"
	"kerf/benchmarks/lab"
)

// listed is an experiment as list tells of it.
type listed struct {
	ID         string     `json:"id"`
	Title      string     `json:"title"`
	Question   string     `json:"question"`
	Hypothesis string     `json:"hypothesis"`
	Quick      float64    `json:"minutes_quick"`
	Full       float64    `json:"minutes_full"`
	Arms       []armShort `json:"arms"`
	// Notes say which arms cannot run here, or run otherwise, and why.
	Notes []string `json:"notes"`
}

type armShort struct {
	Name  string `json:"name"`
	Label string `json:"label"`
	Quick int    `json:"runs_quick"`
	Full  int    `json:"runs_full"`
}

// list tells which experiments there are.
func list(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	var o options
	flags := newFlags("list", "Usage: go run ./benchmarks list [flags]", stderr)
	flags.BoolVar(&o.json, "json", false, "as JSON")
	o.place(flags)
	others, err := flags.parse(args)
	if err != nil {
		return err
	}
	if len(others) > 0 {
		return misuse{fmt.Errorf("list takes no %q", others[0])}
	}
	if err := o.check(); err != nil {
		return err
	}
	setting, err := o.set(ctx)
	if err != nil {
		return err
	}
	all, err := describe(experiments.All(), setting)
	if err != nil {
		return err
	}
	if o.json {
		encoder := json.NewEncoder(stdout)
		encoder.SetIndent("", "  ")
		encoder.SetEscapeHTML(false)
		return encoder.Encode(all)
	}
	_, err = io.WriteString(stdout, table(all))
	return err
}

// describe asks the experiments how they would be made here.
func describe(all []lab.Experiment, setting lab.Setting) ([]listed, error) {
	told := make([]listed, len(all))
	for i, e := range all {
		told[i] = listed{ID: e.ID, Title: e.Title, Question: e.Question, Hypothesis: e.Hypothesis}
	}
	for _, profile := range []lab.Profile{lab.Quick, lab.Full} {
		setting.Profile = profile
		planned, err := planned(all, setting)
		if err != nil {
			return nil, err
		}
		for i := range told {
			told[i].add(profile, planned[i])
		}
	}
	return told, nil
}

// planned asks experiments how they are made in a setting. The error tells each reason why some cannot be once, and of which it is true.
func planned(all []lab.Experiment, setting lab.Setting) ([]lab.Planned, error) {
	var plans []lab.Planned
	var reasons []string
	of := map[string][]string{}
	for _, e := range all {
		plan, err := lab.Prepare([]lab.Experiment{e}, setting)
		if err != nil {
			why := strings.TrimPrefix(err.Error(), e.ID+": ")
			if of[why] == nil {
				reasons = append(reasons, why)
			}
			of[why] = append(of[why], e.ID)
			continue
		}
		plans = append(plans, plan...)
	}
	if len(reasons) == 0 {
		return plans, nil
	}
	for i, why := range reasons {
		reasons[i] = strings.Join(of[why], ", ") + ": " + why
	}
	return nil, misuse{errors.New(strings.Join(reasons, "; "))}
}

func (l *listed) add(profile lab.Profile, p lab.Planned) {
	if profile.Name == lab.Quick.Name {
		l.Quick, l.Notes = p.Seconds()/60, p.Notes
		for _, arm := range p.Arms {
			l.Arms = append(l.Arms, armShort{Name: arm.Name, Label: arm.Label, Quick: p.Runs[arm.Name]})
		}
		return
	}
	l.Full = p.Seconds() / 60
	for i := range l.Arms {
		l.Arms[i].Full = p.Runs[l.Arms[i].Name]
	}
}

// table is what people read.
func table(all []listed) string {
	var b strings.Builder
	var quick, full float64
	for _, l := range all {
		quick, full = quick+l.Quick, full+l.Full
		fmt.Fprintf(&b, "%-3s %-44s quick %3.0f min   full %4.0f min\n", l.ID, l.Title, l.Quick, l.Full)
		wrapped(&b, "asks      ", l.Question)
		wrapped(&b, "expects   ", l.Hypothesis)
		for i, arm := range l.Arms {
			lead := "          "
			if i == 0 {
				lead = "compares  "
			}
			wrapped(&b, lead, arm.Name+": "+arm.Label)
		}
		for _, note := range l.Notes {
			wrapped(&b, "note      ", note)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(&b, "%-48s quick %3.0f min   full %4.0f min\n", "all", quick, full)
	return b.String()
}

// wrapped writes a paragraph behind its lead, within 100 columns.
func wrapped(b *strings.Builder, lead, text string) {
	const margin, width = "    ", 100
	column := 0
	for _, word := range strings.Fields(text) {
		switch {
		case column == 0:
			b.WriteString(margin + lead)
			column = len(margin) + len(lead)
		case column+1+len([]rune(word)) > width:
			b.WriteString("\n" + margin + strings.Repeat(" ", len(lead)))
			column = len(margin) + len(lead)
		default:
			b.WriteByte(' ')
			column++
		}
		b.WriteString(word)
		column += len([]rune(word))
	}
	b.WriteByte('\n')
}
