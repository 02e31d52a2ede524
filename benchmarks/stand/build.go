package stand

import (
	"context"
	"errors"
)

// Source is the folder of Kerf's source that the working directory is in.
func Source(ctx context.Context) (string, error) { return "", errors.New("stand: not yet") }

// Build builds cmd/topology into a folder and returns the program's path.
func Build(ctx context.Context, dir string) (launcher string, err error) {
	return "", errors.New("stand: not yet")
}

// Server is a broker or database that may be installed.
type Server struct {
	Name string // kfake, kafka, rabbitmq, postgres
	// Version of it, "" if it is not installed.
	Version string
	// Missing says in one line what is not here and what to do, "" if it is installed.
	Missing string
}

// Servers tells which there are here. The launcher, which may be "", tells the version of kfake.
func Servers(ctx context.Context, launcher string) []Server { return nil }
