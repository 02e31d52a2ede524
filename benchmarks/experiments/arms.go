package experiments

import (
	"errors"
	"path/filepath"
	"strings"

	"kerf/benchmarks/lab"
)

// deployed is a topology file that is there for everybody.
func deployed(s lab.Setting, file string) string {
	return filepath.Join(s.Source, "deploy", "topologies", file)
}

// own is a topology file that only the laboratory needs.
func own(s lab.Setting, file string) string {
	return filepath.Join(s.Source, "benchmarks", "experiments", "topologies", file)
}

// monolith is the baseline of most experiments: all modules in one process, events in memory, SQLite.
func monolith(s lab.Setting) lab.Arm {
	return lab.Arm{Name: "monolith", Label: "monolith", Topology: deployed(s, "monolith.yaml")}
}

// splitKafka is one process for each module, with Apache Kafka and a file of SQLite each.
func splitKafka(s lab.Setting) lab.Arm {
	return lab.Arm{Name: "split-kafka", Label: "a process per module, Apache Kafka, SQLite", Topology: own(s, "split-kafka.yaml")}
}

// splitPostgres is one process for each module, with Apache Kafka and a schema of PostgreSQL each.
func splitPostgres(s lab.Setting) lab.Arm {
	return lab.Arm{
		Name: "split-kafka-postgres", Label: "a process per module, Apache Kafka, PostgreSQL", Topology: deployed(s, "split-kafka-postgres.yaml"),
	}
}

// noPostgres is the note of an experiment that leaves arms out.
const noPostgres = "PostgreSQL is not installed here: its arm is left out"

// onKafka lets kfake stand in for Apache Kafka in the arms that ask for it, where it is not installed, and says so.
func onKafka(s lab.Setting, arms ...lab.Arm) (_ []lab.Arm, notes []string, err error) {
	if s.Kafka {
		return arms, nil, nil
	}
	if s.Strict {
		return nil, nil, errors.New("no Apache Kafka is installed here: deploy/servers install brings it; without -strict kfake stands in")
	}
	for i := range arms {
		arms[i].Kfake = true
		arms[i].Label = strings.ReplaceAll(arms[i].Label, "Apache Kafka", "kfake")
	}
	return arms, []string{kfakeStandsIn}, nil
}

const kfakeStandsIn = "kfake stands in for Apache Kafka, which is not installed here"

// usersArms are an arm for each topology file that the user gave.
func usersArms(s lab.Setting) []lab.Arm {
	var arms []lab.Arm
	for _, file := range s.Topologies {
		name := strings.TrimSuffix(filepath.Base(file), filepath.Ext(file))
		arms = append(arms, lab.Arm{Name: "user-" + name, Label: "yours: " + name, Topology: file, Kfake: !s.Kafka})
	}
	return arms
}
