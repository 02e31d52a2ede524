package report

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"

	"kerf/benchmarks/lab"
	"kerf/benchmarks/report/chart"
	"kerf/benchmarks/usage"
)

// part is how a role is drawn; a part that is not counted is not the system's.
type part struct {
	role    usage.Role
	series  int
	counted bool
}

// roles are in the order in which bars are stacked: what is counted first, then what is not.
var roles = []part{
	{usage.Modules, 1, true}, {usage.Planted, 4, true}, {usage.Broker, 2, true}, {usage.Database, 3, true},
	{usage.Launcher, 7, false}, {usage.Generator, 5, false}, {usage.Rest, 0, false},
}

// used is the mean over runs of what one process of an arm used.
type used struct {
	name                  string
	role                  usage.Role
	cpu, pss, threads     float64 // ms per second or order, MiB
	voluntary, other      float64 // switches of context per second
	read, written         float64 // KiB per second through read and write calls
	diskRead, diskWritten float64 // KiB per second
	settings              string
}

// consumption is what an arm's processes used, as a mean of its runs, by role and name.
type consumption struct {
	arm       lab.Arm
	runs      int
	perOrder  bool // CPU is ms per order placed, not ms per second
	processes []used
}

// consumed sums up the windows of an arm's counted runs.
func consumed(arm lab.Arm, records []lab.Record, perOrder bool) consumption {
	c := consumption{arm: arm, perOrder: perOrder}
	sums := map[string]*used{}
	of := func(role usage.Role, name string) *used {
		key := string(role) + "\x00" + name
		if sums[key] == nil {
			sums[key] = &used{name: name, role: role}
		}
		return sums[key]
	}
	for _, r := range records {
		w := r.Usage
		if w.Seconds <= 0 {
			continue
		}
		c.runs++
		known := map[usage.Role]float64{}
		each := 1000 / w.Seconds
		if perOrder {
			each /= r.Values[ordersPerSecond]
		}
		for _, p := range w.Processes {
			of(p.Role, p.Name).add(p, w.Seconds, each)
			known[p.Role] += p.CPU
		}
		for role, seconds := range w.CPU {
			if left := seconds - known[role]; left > 1e-3*w.Seconds {
				of(role, "").cpu += left * each
			}
		}
	}
	for _, u := range sums {
		u.over(float64(c.runs))
		c.processes = append(c.processes, *u)
	}
	slices.SortFunc(c.processes, func(a, b used) int {
		return cmp.Or(cmp.Compare(place(a.role), place(b.role)), cmp.Compare(b.cpu, a.cpu), strings.Compare(a.name, b.name))
	})
	return c
}

func (u *used) add(p usage.Process, seconds, each float64) {
	u.cpu += p.CPU * each
	u.pss += p.PSS
	u.threads += float64(p.Threads)
	u.voluntary += float64(p.VoluntarySwitches) / seconds
	u.other += float64(p.InvoluntarySwitches) / seconds
	u.read += float64(p.BytesRead) / seconds / 1024
	u.written += float64(p.BytesWritten) / seconds / 1024
	u.diskRead += float64(p.DiskRead) / seconds / 1024
	u.diskWritten += float64(p.DiskWritten) / seconds / 1024
	var settings []string
	for _, key := range slices.Sorted(maps.Keys(p.Settings)) {
		settings = append(settings, key+"="+p.Settings[key])
	}
	u.settings = strings.Join(settings, " ")
}

// over makes a mean of a sum.
func (u *used) over(runs float64) {
	for _, v := range []*float64{&u.cpu, &u.pss, &u.threads, &u.voluntary, &u.other, &u.read, &u.written, &u.diskRead, &u.diskWritten} {
		*v /= runs
	}
}

func place(role usage.Role) int {
	return slices.IndexFunc(roles, func(p part) bool { return p.role == role })
}

// ordersPerSecond is the metric by which CPU is told per order, where an experiment has it.
const ordersPerSecond = "orders_per_second"

// consumptions are those of all arms that have records of usage.
func consumptions(f *lab.Findings) []consumption {
	perOrder := true
	for _, records := range f.Records {
		for _, r := range records {
			perOrder = perOrder && r.Values[ordersPerSecond] > 0
		}
	}
	var all []consumption
	for _, arm := range f.Arms {
		if c := consumed(arm, f.Records[arm.Name], perOrder); len(c.processes) > 0 {
			all = append(all, c)
		}
	}
	return all
}

// resources are the stacked bars of CPU and memory.
func resources(all []consumption) []figure {
	if len(all) == 0 {
		return nil
	}
	unit := "ms of CPU per second"
	if all[0].perOrder {
		unit = "ms of CPU per order placed"
	}
	counts := "Hatched: not counted as the system’s. The figure behind a bar is what counts; its interval stands in the table."
	figures := []figure{stacked(all, "CPU by role and process", unit, counts, func(u used) float64 { return u.cpu })}
	memory := stacked(all, "Memory by role and process", "MiB, proportional set size at the window’s end", counts, func(u used) float64 { return u.pss })
	if len(memory.Panels) > 0 {
		figures = append(figures, memory)
	}
	return figures
}

func stacked(all []consumption, title, unit, says string, of func(used) float64) figure {
	var ends []float64
	var bars []chart.Bar
	seen := map[usage.Role]bool{}
	var told []string
	runs := all[0].runs
	for _, c := range all {
		bar := chart.Bar{Label: c.arm.Name}
		sum, counted := 0.0, 0.0
		for _, u := range c.processes {
			at := place(u.role)
			if of(u) <= 0 || at < 0 {
				continue
			}
			role := roles[at]
			seen[u.role] = true
			sum += of(u)
			if role.counted {
				counted += of(u)
			}
			name := cmp.Or(u.name, string(u.role))
			bar.Segments = append(bar.Segments, chart.Segment{Series: role.series, Value: of(u), Hatched: !role.counted, Text: name,
				Tip: fmt.Sprintf("%s (%s): %s", name, u.role, number(of(u)))})
		}
		ends = append(ends, sum)
		bar.Total = number(counted)
		bars = append(bars, bar)
		told = append(told, fmt.Sprintf("%s: %s %s counted.", c.arm.Name, number(counted), unit))
		runs = min(runs, c.runs)
	}
	if greatest(ends) <= 0 {
		return figure{}
	}
	fig := figure{Title: title, Says: "Mean of the counted runs, n ≥ " + count(runs) + " each. " + says}
	for _, r := range roles {
		if seen[r.role] {
			fig.Legend = append(fig.Legend, legend{r.series, !r.counted, string(r.role)})
		}
	}
	fig.Panels = []panel{{SVG: chart.Bars{Title: title, Description: strings.Join(told, " "), Rows: bars,
		X: chart.Axis{Scale: chart.Linear(append(ends, 0)...), Label: unit}}.SVG()}}
	return fig
}

// everyProcess is the table of what each process used.
func everyProcess(all []consumption) *lab.Table {
	if len(all) == 0 {
		return nil
	}
	cpu := "CPU, ms/s"
	if all[0].perOrder {
		cpu = "CPU, ms/order"
	}
	t := &lab.Table{Title: "Every process, mean of the counted runs",
		Columns: []string{"arm", "process", "role", cpu, "PSS, MiB", "threads", "voluntary switches/s", "other switches/s",
			"read, KiB/s", "written, KiB/s", "from disk, KiB/s", "to disk, KiB/s"},
		Note: "Read and written are bytes that passed through read and write calls, sockets included. " +
			"Database backends and a broker’s children are part of their parent."}
	withSettings := slices.ContainsFunc(all, func(c consumption) bool {
		return slices.ContainsFunc(c.processes, func(u used) bool { return u.settings != "" })
	})
	if withSettings {
		t.Columns = append(t.Columns, "settings of Go")
	}
	for _, c := range all {
		for _, u := range c.processes {
			row := []string{c.arm.Name, u.name, string(u.role)}
			if u.name == "" {
				row[1] = "(all else)"
				t.Rows = append(t.Rows, append(row, number(u.cpu)))
				continue
			}
			for _, v := range []float64{u.cpu, u.pss, u.threads, u.voluntary, u.other, u.read, u.written, u.diskRead, u.diskWritten} {
				row = append(row, number(v))
			}
			if withSettings {
				row = append(row, u.settings)
			}
			t.Rows = append(t.Rows, row)
		}
	}
	return t
}
