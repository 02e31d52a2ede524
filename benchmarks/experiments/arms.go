package experiments

import (
	"errors"
	"path/filepath"
	"strings"

	"kerf/benchmarks/lab"
)

// The topology files of the arms lie in the source; those that only the laboratory needs lie here.
const (
	deployed = "deploy/topologies"
	own      = "benchmarks/experiments/topologies"
)

// monolith is the baseline of most experiments: all modules in one process, events in memory, SQLite.
func monolith() lab.Arm {
	return lab.Arm{Name: "monolith", Label: "monolith: one process, events in memory, SQLite", Topology: filepath.Join(deployed, "monolith.yaml")}
}

// onKafka lets kfake stand in for Apache Kafka in the arms that ask for it, where it is not installed, and says so.
func onKafka(s lab.Setting, arms ...lab.Arm) (_ []lab.Arm, notes []string, err error) {
	if s.Kafka {
		return arms, nil, nil
	}
	if s.Strict {
		return nil, nil, errors.New("Apache Kafka is not installed here: deploy/servers install brings it; without -strict kfake stands in")
	}
	for i := range arms {
		arms[i].Kfake = true
		arms[i].Label = strings.ReplaceAll(arms[i].Label, "Apache Kafka", "kfake")
	}
	return arms, []string{"kfake stands in for Apache Kafka, which is not installed here"}, nil
}

// usersArms are an arm for each topology file that the user gave.
func usersArms(s lab.Setting) []lab.Arm {
	var arms []lab.Arm
	for _, file := range s.Topologies {
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		arms = append(arms, lab.Arm{Name: "user-" + name, Label: "yours: " + name, Topology: file, Kfake: !s.Kafka})
	}
	return arms
}
