package modules

import (
	"maps"
	"slices"

	"kerf/platform/bus"
	"kerf/platform/config"
)

// Names are the modules, in the order of their dependencies.
var Names = []string{"consumers", "restaurants", "kitchen", "accounting", "delivery", "orders", "notifications", "tracking", "gateway"}

// stateful are the modules that have a schema; the gateway has none.
var stateful = Names[:len(Names)-1]

// asks says which operations of which module a module calls, by caller and owner. It is what compose hands to the constructors, and a test
// holds it against the requests that the modules' code makes. What is not in it is not allowed: between processes, an owner refuses a caller
// whose certificate is for none of the modules that may call the operation.
var asks = map[string]map[string][]string{
	"orders": {
		"restaurants": {"GetQuote"},
		"consumers":   {"CheckMayOrder"},
		"kitchen": {"CreateTicket", "ConfirmTicket", "CancelTicketCreation", "BeginCancel", "ConfirmCancel", "UndoCancel",
			"GetTicket"},
		"accounting": {"AuthorizePayment", "VoidPayment", "CapturePayment", "RefundPayment"},
		"delivery":   {"ScheduleDelivery", "CancelDelivery", "GetDelivery"},
	},
	"notifications": {"consumers": {"GetContact"}},
	"gateway":       {"orders": {"GetOrder"}, "kitchen": {"GetTicket"}, "delivery": {"GetDelivery"}, "accounting": {"GetPayment"}},
}

// hears says whose events a module listens to: one group of the bus for each pair. A process does not start if its modules
// subscribe to anything else.
var hears = map[string][]string{
	"kitchen":       {"delivery"},
	"delivery":      {"kitchen"},
	"orders":        {"kitchen", "delivery"},
	"notifications": {"orders", "kitchen", "delivery", "accounting"},
	"tracking":      {"orders", "kitchen", "delivery", "accounting"},
}

// Operations of the contract that every stateful module serves beside its own, for the gateway's operators and for tracking's rebuild.
var (
	operated = []string{"Audit", "ListParked", "ReplayParked", "DropParked"}
	logged   = []string{"ReadLog"}
)

// speaksForUsers are the modules that call others in the name of who asked them: the gateway at once, orders in its sagas.
var speaksForUsers = []string{"gateway", "orders"}

// mayCall tells whether one of the callers, the modules of a process, has a use for an operation of a module.
func mayCall(callers []string, module, operation string) bool {
	return slices.ContainsFunc(callers, func(caller string) bool {
		return slices.Contains(asks[caller][module], operation) ||
			caller == "gateway" && slices.Contains(operated, operation) ||
			caller == "tracking" && slices.Contains(hears[caller], module) && slices.Contains(logged, operation)
	})
}

// owners returns the modules that a module calls, in the order of Names. The gateway calls all: those that it asks nothing, it passes
// requests on to.
func owners(caller string) []string {
	return slices.DeleteFunc(slices.Clone(Names), func(name string) bool {
		asked := asks[caller][name] != nil
		rebuilds := caller == "tracking" && slices.Contains(hears[caller], name)
		return !asked && !rebuilds && (caller != "gateway" || name == "gateway")
	})
}

// groups are the listening modules by topic, wherever they run: whoever publishes has to know them where the bus keeps a queue for each.
func groups() map[string][]string {
	byTopic := map[string][]string{}
	for _, listener := range slices.Sorted(maps.Keys(hears)) {
		for _, publisher := range hears[listener] {
			topic := bus.Topic(publisher)
			byTopic[topic] = append(byTopic[topic], listener)
		}
	}
	return byTopic
}

// catalogue tells the configuration what there is to place, and who has to reach whom.
func catalogue() config.Modules {
	needs := map[string][]string{}
	for _, name := range Names {
		needs[name] = owners(name)
	}
	return config.Modules{Names: Names, Stateful: stateful, Edge: "gateway", Needs: needs}
}
