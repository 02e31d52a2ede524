package command

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"kerf/benchmarks/load"
	"kerf/benchmarks/town"
)

// Schema names the form of a Report. Fields may be added to it without another name.
const Schema = "kerf.load/1"

// Report is what a load measured. Times are in milliseconds.
type Report struct {
	Schema string `json:"schema"`
	Target string `json:"target"`
	Mix    string `json:"mix"`
	Loop   string `json:"loop"`
	Seed   uint64 `json:"seed"`
	// ServerSpeed is that of the server's clock.
	ServerSpeed float64 `json:"server_speed"`
	// Seconds is the length of what was measured.
	Seconds float64 `json:"seconds"`
	// RateAsked and RateOffered are journeys per second; the latter is what began in the window.
	RateAsked   float64 `json:"rate_asked,omitempty"`
	RateOffered float64 `json:"rate_offered"`
	Arrivals    int64   `json:"arrivals"`
	Missed      int64   `json:"missed"`
	Completed   int64   `json:"completed"`
	Failed      int64   `json:"failed"`
	// FirstFailure tells why the first journey failed that did, in the warm-up too.
	FirstFailure string `json:"first_failure,omitempty"`
	// Ops are response times by what was asked, from when a request was intended; All are all requests. Lateness is how much later than intended
	// those were sent that had an instant of their own: one that follows another at once is never late.
	Ops      []Op `json:"ops"`
	All      Op   `json:"all"`
	Lateness Op   `json:"lateness"`
	// Errors are failed requests by kind.
	Errors map[string]int64 `json:"errors"`
	// Orders were acknowledged in the window. GeneratorCPU is what this program used in it, for each.
	Orders       int64   `json:"orders"`
	GeneratorCPU float64 `json:"generator_cpu_ms_per_order,omitempty"`
	// Violations are by invariant; nil if they were not checked.
	Violations map[string]int `json:"violations"`
	Told       []string       `json:"told,omitempty"`
	CutShort   bool           `json:"cut_short,omitempty"`

	cpu time.Duration
}

// Op is the distribution of one operation's times. A percentile of which there are too few samples is not told.
type Op struct {
	Op string `json:"op,omitempty"`
	// Observed says that it is no request, but a wait for something to show.
	Observed     bool               `json:"observed,omitempty"`
	Count        int64              `json:"n"`
	Failed       int64              `json:"failed"`
	Milliseconds map[string]float64 `json:"milliseconds"`
}

// measure takes over what was recorded.
func (r *Report) measure(s load.Snapshot) {
	r.Seconds = s.Seconds()
	r.Arrivals, r.Missed, r.Completed, r.Failed, r.Errors = s.Arrivals, s.Missed, s.Completed, s.Failed, s.Errors
	if r.Seconds > 0 {
		r.RateOffered = float64(s.Arrivals) / r.Seconds
	}
	r.Ops = []Op{}
	for _, name := range slices.SortedFunc(maps.Keys(s.Ops), inOrder) {
		op := s.Ops[name]
		r.Ops = append(r.Ops, Op{name, op.Observed, op.Count, op.Failed, load.Percentiles(op.Response)})
	}
	all := s.All()
	r.All = Op{Count: all.Count, Failed: all.Failed, Milliseconds: load.Percentiles(all.Response)}
	r.Lateness = Op{Count: all.Scheduled.TotalCount(), Milliseconds: load.Percentiles(all.Scheduled)}
	place := s.Ops[string(town.Place)]
	if r.Orders = place.Count - place.Failed; r.Orders > 0 {
		r.GeneratorCPU = r.cpu.Seconds() * 1000 / float64(r.Orders)
	}
}

// inOrder is the order in which people do things; what is no step comes last.
func inOrder(a, b string) int {
	rank := func(op string) int {
		for _, mix := range []town.Mix{town.Standard, town.Browsing} {
			if i := slices.Index(mix.Steps, town.Op(op)); i >= 0 {
				return i
			}
		}
		return len(town.Standard.Steps)
	}
	return cmp.Or(cmp.Compare(rank(a), rank(b)), cmp.Compare(a, b))
}

// write prints the report, and writes it into the file.
func (r *run) write(stdout io.Writer) error {
	if r.file != nil {
		encoder := json.NewEncoder(r.file)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(r.report); err != nil {
			return fmt.Errorf("writing %s: %w", r.options.json, err)
		}
	}
	return r.report.print(stdout)
}

func (r *Report) print(w io.Writer) error {
	var text strings.Builder
	fmt.Fprintf(&text, "%s  %s mix, %s, %.0f s measured\n", r.Target, r.Mix, r.Loop, r.Seconds)
	if r.CutShort {
		text.WriteString("CUT SHORT: these figures are of a part of the load\n")
	}
	text.WriteString("\n")
	table := tabwriter.NewWriter(&text, 0, 0, 2, ' ', tabwriter.AlignRight)
	row := func(name string, op Op) {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%s\t%s\t%s\t%s\t%d\t\n", name, op.Count,
			ms(op, "50"), ms(op, "90"), ms(op, "99"), ms(op, "max"), op.Failed)
	}
	_, _ = fmt.Fprintln(table, "ms\tn\tp50\tp90\tp99\tmax\terrors\t")
	for _, op := range r.Ops {
		name := op.Op
		if op.Observed {
			name = "→ " + name
		}
		row(name, op)
	}
	row("all requests", r.All)
	row("lateness", r.Lateness)
	if err := table.Flush(); err != nil {
		return err
	}
	r.sum(&text)
	_, err := io.WriteString(w, text.String())
	return err
}

func ms(op Op, percentile string) string {
	value, told := op.Milliseconds[percentile]
	if !told {
		return "–"
	}
	return fmt.Sprintf("%.1f", value)
}

// sum is what stands below the table.
func (r *Report) sum(text *strings.Builder) {
	fmt.Fprintf(text, "\njourneys    %d began (%.1f/s), %d ended well, %d failed, %d missed\n", r.Arrivals, r.RateOffered, r.Completed, r.Failed, r.Missed)
	if r.Failed > 0 && r.FirstFailure != "" {
		fmt.Fprintf(text, "            the first that failed: %s\n", r.FirstFailure)
	}
	for _, kind := range slices.Sorted(maps.Keys(r.Errors)) {
		fmt.Fprintf(text, "errors      %d × %s\n", r.Errors[kind], kind)
	}
	if r.GeneratorCPU > 0 {
		fmt.Fprintf(text, "generator   %.2f ms of CPU for each of %d orders\n", r.GeneratorCPU, r.Orders)
	}
	if r.Violations == nil {
		text.WriteString("invariants  not checked\n")
		return
	}
	violated := 0
	for _, id := range slices.Sorted(maps.Keys(r.Violations)) {
		if n := r.Violations[id]; n > 0 {
			violated += n
			fmt.Fprintf(text, "invariants  %s is violated %d times\n", id, n)
		}
	}
	if violated == 0 {
		text.WriteString("invariants  hold\n")
	}
	for _, words := range r.Told {
		fmt.Fprintf(text, "            %s\n", words)
	}
}
