package experiments

import (
	"testing"

	"kerf/benchmarks/lab"
)

func called(none, some float64) map[string]float64 {
	return map[string]float64{callWorks[0].cpu().Name: none, callWorks[1].cpu().Name: some}
}

func TestProtocolsAreComparedByTheirCPU(t *testing.T) {
	for name, c := range map[string]struct {
		grpc, json, grpcWithWork float64
		want                     lab.Outcome
	}{
		"as expected":                         {90, 230, 1200, lab.Supported},
		"JSON is not dearer than gRPC":        {230, 200, 1200, lab.Partly},
		"nothing is as expected":              {6, 4, 3500, lab.Refuted},
		"all the same, but for what is noise": {4, 4.04, 1400, lab.Undecided},
	} {
		t.Run(name, func(t *testing.T) {
			f := plant(protocols(), everything).runs("in-process", 6, called(4, 1000)).runs("grpc", 6, called(c.grpc, c.grpcWithWork)).
				runs("json", 6, called(c.json, 1400)).findings()
			if got := concludeProtocols(f); got.Outcome != c.want {
				t.Errorf("%s: %s", got.Outcome, got.Verdict)
			}
		})
	}
}

func TestAFullProfileSetsWholeSplitsSideBySide(t *testing.T) {
	full := everything
	full.Profile = lab.Full
	order := func(ms float64) map[string]float64 {
		return map[string]float64{totalPerOrder.Name: ms, approvedP50.Name: ms / 2}
	}
	f := plant(protocols(), full).runs("in-process", 6, called(4, 1000)).runs("grpc", 6, called(90, 1200)).runs("json", 6, called(230, 1400)).
		runs("split-grpc", 6, order(60)).runs("split-json", 6, order(90)).findings()

	c := concludeProtocols(f)

	if len(c.Tables) != 1 || len(c.Tables[0].Rows) != 2 || c.Tables[0].Rows[1][2] == "–" {
		t.Errorf("%+v", c.Tables)
	}
}
