package stats

// Block is what was measured side by side: the runs of the baseline and of an arm in one block. Usually there is one of each; either may be empty
// because its run was void.
type Block struct{ Baseline, Arm []float64 }

// Ratio is an arm's median over the baseline's, with its interval.
type Ratio struct {
	Value, Low, High float64
	// Level is the interval's confidence: 0.95, or more where several arms are compared.
	Level float64
	// Different says that the interval excludes 1 and that Value leaves 0.95 to 1.05.
	Different bool
}

// Median is the middle value, or the mean of the two in the middle; NaN of none.
func Median(values []float64) float64 { panic("unfinished") }

// Interval is the 95 % interval of the median of few values.
func Interval(values []float64, seed uint64) (low, high float64) { panic("unfinished") }

// Pair puts the i-th run of the baseline beside the i-th of the arm.
func Pair(baseline, arm []float64) []Block { panic("unfinished") }

// Compare gives the ratio of an arm's median to the baseline's with its 95 % interval.
func Compare(blocks []Block, seed uint64) Ratio { panic("unfinished") }

// Holm compares several arms with one baseline: the intervals are widened so that with 95 % confidence not one of them misses its ratio.
func Holm(arms [][]Block, seed uint64) []Ratio { panic("unfinished") }
