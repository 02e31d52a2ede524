package acceptance

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
)

// cut is a way to divide the modules among processes, and what those stand on.
type cut struct {
	// processes are the modules of each; nil is all in one.
	processes [][]string
	replicas  int
	bus       string // memory, kfake, kafka or amqp
	format    string // protobuf or json
	protocol  string // grpc, connect or json
	secure    bool   // mutual TLS
	database  string // sqlite or postgres
	name      string // of the division
}

func (c cut) String() string {
	parts := []string{c.name, c.bus, c.format, c.database}
	if c.processes != nil {
		parts = append(parts, c.protocol)
	}
	if c.secure {
		parts = append(parts, "tls")
	}
	return strings.Join(parts, "-")
}

var names = []string{"consumers", "restaurants", "kitchen", "accounting", "delivery", "orders", "notifications", "tracking", "gateway"}

// alone is one module against the rest.
func alone(module string) [][]string {
	return [][]string{slices.DeleteFunc(slices.Clone(names), func(name string) bool { return name == module }), {module}}
}

// halves are what the diner sees, and what moves the food.
var halves = [][]string{{"consumers", "restaurants", "orders", "notifications", "tracking", "gateway"}, {"kitchen", "accounting", "delivery"}}

// each is one process per module.
func each() (processes [][]string) {
	for _, name := range names {
		processes = append(processes, []string{name})
	}
	return processes
}

// shapesVariable says which of the cuts are tested besides the monolith and one process per module: none if it is not set, or chosen, or all;
// or the name of one.
const shapesVariable = "KERF_TEST_SHAPES"

// everywhere is the cut that needs nothing installed.
var everywhere = cut{name: "each", processes: each(), bus: "kfake", format: "protobuf", protocol: "grpc", secure: true, database: "sqlite"}

// chosen have each division, bus, format, protocol and database at least twice, in different company.
var chosen = []cut{
	{name: "monolith", bus: "kafka", format: "json", database: "sqlite"},
	{name: "monolith", bus: "amqp", format: "protobuf", database: "sqlite"},
	{name: "monolith", bus: "memory", format: "protobuf", database: "postgres"},
	{name: "consumers", processes: alone("consumers"), bus: "kafka", format: "json", protocol: "connect", database: "sqlite"},
	{name: "restaurants", processes: alone("restaurants"), bus: "amqp", format: "protobuf", protocol: "json", database: "sqlite"},
	{name: "kitchen", processes: alone("kitchen"), bus: "kafka", format: "protobuf", protocol: "grpc", database: "postgres"},
	{name: "accounting", processes: alone("accounting"), bus: "amqp", format: "json", protocol: "connect", database: "postgres"},
	{name: "delivery", processes: alone("delivery"), bus: "kfake", format: "protobuf", protocol: "json", secure: true, database: "sqlite"},
	{name: "orders", processes: alone("orders"), bus: "kafka", format: "json", protocol: "grpc", secure: true, database: "sqlite"},
	{name: "notifications", processes: alone("notifications"), bus: "amqp", format: "protobuf", protocol: "grpc", database: "sqlite"},
	{name: "tracking", processes: alone("tracking"), bus: "kafka", format: "protobuf", protocol: "connect", secure: true, database: "postgres"},
	{name: "gateway", processes: alone("gateway"), bus: "kfake", format: "json", protocol: "json", database: "sqlite"},
	{name: "halves", processes: halves, bus: "amqp", format: "json", protocol: "grpc", secure: true, database: "sqlite"},
	{name: "each", processes: each(), bus: "kafka", format: "protobuf", protocol: "grpc", secure: true, database: "postgres"},
	{name: "replicas", processes: each(), replicas: 2, bus: "kafka", format: "protobuf", protocol: "grpc", secure: true, database: "postgres"},
}

// every is the product of all choices that make sense.
func every() (all []cut) {
	divisions := []cut{{name: "monolith"}, {name: "halves", processes: halves}, {name: "each", processes: each()},
		{name: "replicas", processes: each(), replicas: 2}}
	for _, module := range names {
		divisions = append(divisions, cut{name: module, processes: alone(module)})
	}
	for _, c := range divisions {
		for _, c.bus = range []string{"memory", "kfake", "kafka", "amqp"} {
			for _, c.format = range []string{"protobuf", "json"} {
				for _, c.database = range []string{"sqlite", "postgres"} {
					for _, c.protocol = range []string{"grpc", "connect", "json"} {
						c.secure = len(all)%2 == 1
						if c.sensible() {
							all = append(all, c)
						}
					}
				}
			}
		}
	}
	return all
}

func (c cut) sensible() bool {
	switch {
	case c.processes == nil && (c.protocol != "grpc" || c.secure): // nothing is called
		return false
	case c.bus == "memory" && (c.processes != nil || c.format == "json"):
		return false
	case c.bus == "kfake" && c.format == "json": // stands in for Kafka where that is not
		return false
	case c.replicas > 1 && c.database == "sqlite":
		return false
	}
	return true
}

// cuts are the shapes that are to be tested, by the variable.
func cuts() (shapes []shape) {
	wanted := []cut{everywhere}
	switch which := os.Getenv(shapesVariable); which {
	case "":
	case "chosen":
		wanted = append(wanted, chosen...)
	case "all":
		wanted = every()
	default:
		for _, c := range append(every(), chosen...) {
			if c.String() == which {
				wanted = []cut{c}
			}
		}
	}
	for _, c := range wanted {
		c.replicas, c.protocol = cmp.Or(c.replicas, 1), cmp.Or(c.protocol, "grpc")
		shapes = append(shapes, shape{c.String(), func(t *testing.T, speed float64) *server { return c.start(t, speed) }})
	}
	return shapes
}

// needs is the server that a cut cannot do without, or empty: the variable that says where it is.
func (c cut) needs() []string {
	var variables []string
	for _, choice := range []struct{ is, named, variable string }{
		{c.bus, "kafka", "KERF_TEST_KAFKA"}, {c.bus, "amqp", "KERF_TEST_AMQP"}, {c.database, "postgres", "KERF_TEST_POSTGRES"},
	} {
		if choice.is == choice.named {
			variables = append(variables, choice.variable)
		}
	}
	return variables
}

func (c cut) skipUnlessThere(t *testing.T) {
	t.Helper()
	for _, variable := range c.needs() {
		if os.Getenv(variable) == "" {
			t.Skipf("left out: %s is not set; deploy/servers up starts the servers, and deploy/servers env says where they are", variable)
		}
	}
}

// title names a process for its log.
func (c cut) title(process, replica int) string {
	title := "all"
	if c.processes != nil {
		title = c.processes[process][0]
	}
	if c.replicas > 1 {
		title += fmt.Sprintf("-%d", replica+1)
	}
	return title
}
