// Command module serves selected modules as one process.
//
//	go run ./cmd/module -modules kitchen,delivery -config kerf.yaml
//
// It is the monolith with other defaults: no demo city, no tokens of its own, the internal listener on 127.0.0.1:9090. Which modules, where
// the others answer and over which bus events come is all configuration; -plan prints what follows from it.
//
//	go run ./cmd/module -modules all -setup-database postgres://postgres@127.0.0.1:5432/kerf
//
// makes a schema and a role for each module in that database and prints their DSNs. A role that is made gets a random password; one that was
// there keeps its own, and its DSN is printed without: ALTER ROLE "kerf_kitchen" PASSWORD '…', run by an administrator, sets a new one. The
// administrator's own is better given by PGPASSWORD or a password file than in the DSN, which other users of the machine see.
//
// It prints "ready URL" on stdout once it answers: the public edge's URL if the gateway is among the modules, else the internal listener's.
// It exits with 0, with 1 if it failed, and with 2 if it was called wrongly.
package main

import (
	"context"
	"os"

	"kerf/modules"
	"kerf/platform/process"
)

func main() {
	os.Exit(process.Main(os.Stderr, func(ctx context.Context) error {
		return modules.Part().Run(ctx, os.Args[1:], os.Environ(), os.Stdout, os.Stderr)
	}))
}
