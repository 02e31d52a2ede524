package lab

// Findings are what the runs of an experiment yielded, for its conclusion.
type Findings struct {
	Experiment Experiment
	Setting    Setting
	Arms       []Arm // the first is the baseline
	// Records are those that count, by arm, in the order of their blocks.
	Records map[string][]Record
	Results []Result
	// Void and Failed runs, which count for nothing.
	Void, Failed []Record
	// Incomplete says that runs are missing, because the experiment was cut short.
	Incomplete bool
	// Notes are those of Arms, and what the runner left out.
	Notes []string
	// Conclusion is what Experiment.Conclude made of all this; Read fills it in.
	Conclusion Conclusion
}

// Result is what is known of a metric in an arm: one line of results.json.
type Result struct {
	Experiment string `json:"experiment"`
	Arm        string `json:"arm"`
	Metric     string `json:"metric"`
	Unit       string `json:"unit"`
	// N is the number of runs. Median is of the runs' values, with its 95 % bootstrap interval.
	N      int     `json:"n"`
	Median float64 `json:"median"`
	CILow  float64 `json:"ci_low"`
	CIHigh float64 `json:"ci_high"`
	// Baseline is whether the arm is the one that the others are compared with; it has no ratio.
	Baseline bool `json:"baseline,omitempty"`
	// Ratio is the ratio of the arm's median to the baseline's, with its 95 % paired bootstrap interval, widened by Holm's method where several arms
	// are compared with one baseline; nil if there is no baseline value.
	Ratio       *float64 `json:"ratio_to_baseline"`
	RatioCILow  *float64 `json:"ratio_ci_low"`
	RatioCIHigh *float64 `json:"ratio_ci_high"`
	// Different says that the interval excludes 1 and that the ratio leaves 0.95 to 1.05. It is said of this metric alone: Holm's method is over arms, not
	// over metrics.
	Different bool `json:"different"`
	// Values are the runs' own, in the order of the blocks.
	Values []float64 `json:"values"`
}

// Outcome is what became of a hypothesis.
type Outcome string

// The outcomes. Undecided is one: too few runs, too much noise, or neither.
const (
	Supported Outcome = "supported"
	Refuted   Outcome = "refuted"
	Partly    Outcome = "partly supported"
	Undecided Outcome = "undecided"
)

// Conclusion is what an experiment found.
type Conclusion struct {
	Outcome Outcome
	// Verdict is one or two sentences with the figures and their intervals. It says at once if something stood in for what was asked for.
	Verdict string
	// Remarks qualify it: what limits it, what surprised.
	Remarks []string
	Tables  []Table
	Figures []Figure
}

// Table is a table of text.
type Table struct {
	Title   string
	Columns []string
	Rows    [][]string
	Note    string
}

// Figure is a chart of curves.
type Figure struct {
	Title          string
	XLabel, YLabel string
	LogX, LogY     bool
	Curves         []Curve
	// Lines are marks across the chart: an objective, a knee.
	Lines []Line
	Note  string
}

// Curve is one arm's points.
type Curve struct {
	Label string
	// Points are joined in their order, unless Scattered.
	Points    []Interval
	Scattered bool
	// Dashed is for a model beside what was measured.
	Dashed bool
}

// Interval is a point with its interval in Y; Low and High are equal to Y if there is none.
type Interval struct{ X, Y, Low, High float64 }

// Line is a mark at a value of X or of Y.
type Line struct {
	Label    string
	At       float64
	Vertical bool
}
