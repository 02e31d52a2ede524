package experiments

import (
	"os"
	"path/filepath"
	"testing"

	"kerf/benchmarks/lab"
	"kerf/cmd/topology/shape"
	"kerf/modules"
)

func TestEveryTopologyOfTheLaboratoryCanBeRead(t *testing.T) {
	files, err := filepath.Glob("topologies/*.yaml")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		read, problems := shape.Read(file, modules.Names)
		if err := problems.Err(); err != nil {
			t.Errorf("%s: %s", file, err)
		}
		placed := 0
		for _, p := range read.Processes {
			placed += len(p.Modules)
		}
		if len(read.Processes) > 0 && placed != len(modules.Names) { // some are servers alone
			t.Errorf("%s places %d modules of %d", file, placed, len(modules.Names))
		}
	}
}

func TestEveryArmHasItsTopology(t *testing.T) {
	for _, profile := range []lab.Profile{lab.Quick, lab.Full} {
		setting := everything
		setting.Profile = profile
		for _, e := range All() {
			arms, _, err := e.Arms(setting)
			if err != nil {
				t.Fatal(err)
			}
			for _, arm := range arms {
				if arm.Topology == "" { // an arm of a component experiment, which starts none
					continue
				}
				if _, err := os.Stat(arm.Topology); err != nil {
					t.Errorf("%s, %s: %s", e.ID, arm.Name, err)
				}
			}
		}
	}
}
