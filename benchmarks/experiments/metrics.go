package experiments

import "kerf/benchmarks/lab"

// The metrics of a run under load, as drive fills them in. CPU is user and system time, of what ran in the window, divided by the orders that were
// placed in it: the load is as steady at its end as at its beginning, so what was left over from before makes up for what is left to do afterwards.
var (
	totalPerOrder     = lab.Metric{Name: "total_ms_per_order", Label: "CPU per order", Unit: "ms", Headline: true}
	modulesPerOrder   = lab.Metric{Name: "cpu_ms_per_order", Label: "of that, modules", Unit: "ms", Headline: true}
	brokerPerOrder    = lab.Metric{Name: "broker_ms_per_order", Label: "of that, broker", Unit: "ms"}
	databasePerOrder  = lab.Metric{Name: "database_ms_per_order", Label: "of that, database server", Unit: "ms"}
	generatorPerOrder = lab.Metric{Name: "generator_ms_per_order", Label: "generator's CPU per order", Unit: "ms", Neutral: true}
	restPerOrder      = lab.Metric{Name: "rest_ms_per_order", Label: "unexplained CPU per order", Unit: "ms", Neutral: true}
	placeP50          = lab.Metric{Name: "place_p50_ms", Label: "order placed, p50", Unit: "ms", Headline: true}
	placeP90          = lab.Metric{Name: "place_p90_ms", Label: "order placed, p90", Unit: "ms"}
	approvedP50       = lab.Metric{Name: "approved_p50_ms", Label: "order approved, p50", Unit: "ms", Headline: true}
	approvedP90       = lab.Metric{Name: "approved_p90_ms", Label: "order approved, p90", Unit: "ms"}
	pss               = lab.Metric{Name: "pss_mib", Label: "memory (PSS) of modules, broker and database", Unit: "MiB", Headline: true}
	processes         = lab.Metric{Name: "processes", Label: "processes", Neutral: true}
	idleCPU           = lab.Metric{Name: "idle_cpu", Label: "CPU when nothing happens", Unit: "ms/s"}
	idlePerOrder      = lab.Metric{Name: "idle_ms_per_order", Label: "of that, used when nothing happens too", Unit: "ms"}
	netPerOrder       = lab.Metric{Name: "net_ms_per_order", Label: "CPU of modules per order, less what they use when nothing happens", Unit: "ms"}
	ordersPerSecond   = lab.Metric{Name: "orders_per_second", Label: "orders placed", Unit: "1/s", Neutral: true}
	errorsPer1000     = lab.Metric{Name: "errors_per_1000", Label: "failed requests of 1,000"}
	latenessP99       = lab.Metric{Name: "lateness_p99_ms", Label: "generator's lateness, p99", Unit: "ms", Neutral: true}
	missedShare       = lab.Metric{Name: "missed_share", Label: "orders that the generator could not begin", Neutral: true}
)
