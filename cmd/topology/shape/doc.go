// Package shape reads topology files: which processes run which modules, on which servers, with which configuration.
//
//	servers: [kfake]                  # what is to be started here: kfake or kafka, rabbitmq, postgres
//	tls: true                         # between processes; the default where there are several
//	processes:
//	  edge: {modules: [gateway, tracking]}
//	  rest:
//	    modules: [consumers, …]       # or all
//	    replicas: 2                   # 1 if not said; more need PostgreSQL
//	    config: {log: {level: debug}} # for this process alone
//	config:                           # for all processes, as in kerf.yaml
//	  bus: {driver: kafka}
//
// What the topology works out (addresses, certificates, brokers, databases, the clock) need not be in the file; what stands in it wins.
package shape
