// Command benchmarks is Kerf's laboratory: it compares the monolith with any cut of it.
//
//	go run ./benchmarks list
//	go run ./benchmarks run all -quick -out DIR
//	go run ./benchmarks report DIR
package main

import (
	"context"
	"errors"
	"os"

	"kerf/platform/process"
)

func main() {
	os.Exit(process.Main(os.Stderr, func(context.Context) error { return errors.New("not yet") }))
}
