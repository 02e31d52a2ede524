package experiments

import "kerf/benchmarks/lab"

// All returns the experiments, in the order in which they are run. The first says whether the others can be believed.
func All() []lab.Experiment {
	return []lab.Experiment{null(), tax(), ladder(), knee(), buses(), visibility(), protocols(), formats(), blast()}
}
