package experiments

import (
	"strings"
	"testing"

	"kerf/benchmarks/codec"
	"kerf/benchmarks/lab"
)

func TestFormatsAreComparedAloneAndEndToEnd(t *testing.T) {
	for name, c := range map[string]struct {
		bytes, cpu, order float64
		want              lab.Outcome
	}{
		"as expected":              {60, 700, 95, lab.Supported},
		"fewer bytes are not less": {113, 700, 95, lab.Partly},
		"nothing is as expected":   {113, 3000, 70, lab.Refuted},
	} {
		t.Run(name, func(t *testing.T) {
			of := func(bytes, cpu float64) map[string]float64 {
				return map[string]float64{formatBytes.Name: bytes, formatCPU.Name: cpu, bytesOf("OrderPlaced"): bytes}
			}
			f := plant(formats(), everything).runs(codec.JSON, 6, of(180, 5000)).runs(codec.Protobuf, 6, of(c.bytes, c.cpu)).
				runs("split-json", 6, map[string]float64{totalPerOrder.Name: 100}).runs("split-protobuf", 6, map[string]float64{totalPerOrder.Name: c.order}).findings()

			got := concludeFormats(f)

			if got.Outcome != c.want {
				t.Errorf("%s: %s", got.Outcome, got.Verdict)
			}
			sizes := got.Tables[0]
			if last := sizes.Rows[len(sizes.Rows)-1]; len(sizes.Columns) != 3 || len(last) != 3 || last[1] == "0" {
				t.Errorf("sizes of JSON and Protobuf: %+v", sizes)
			}
		})
	}
}

func TestWithoutSplitsFormatsAreUndecided(t *testing.T) {
	of := func(bytes, cpu float64) map[string]float64 {
		return map[string]float64{formatBytes.Name: bytes, formatCPU.Name: cpu}
	}
	f := plant(formats(), everything).runs(codec.JSON, 6, of(180, 5000)).runs(codec.Protobuf, 6, of(60, 700)).findings()

	if c := concludeFormats(f); c.Outcome != lab.Undecided || !strings.Contains(c.Verdict, "split-json: 0, split-protobuf: 0") ||
		!strings.HasSuffix(c.Verdict, "n = 6; end to end nothing was measured that counts.") {
		t.Errorf("%s: %s", c.Outcome, c.Verdict)
	}
}

func TestTheEventsOfAnOrderAreThoseOfTheContracts(t *testing.T) {
	golden, err := codec.Golden("../..")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, event := range golden {
		known[string(event.ProtoReflect().Descriptor().Name())] = true
	}
	for _, name := range anOrdersLife {
		if !known[name] {
			t.Errorf("there is no event %s", name)
		}
	}
}
