package servers

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"kerf/cmd/topology/ports"
	"kerf/cmd/topology/supervise"
)

// The servers that there are.
const (
	Kfake    = "kfake"
	Kafka    = "kafka"
	RabbitMQ = "rabbitmq"
	Postgres = "postgres"
)

// Names are the servers, brokers first.
var Names = []string{Kfake, Kafka, RabbitMQ, Postgres}

// Server is a broker or a database that can be started here.
type Server struct {
	Name string
	// Address is what its clients are told: host:port of Kafka, or the URL of RabbitMQ or of PostgreSQL's administrator. It may hold a password.
	Address string
	// Prepare makes what the server finds at its first start, if it is not there. It must have returned before a program is started.
	Prepare func(ctx context.Context) error
	// Programs run while the server does. They are started in order; the last is the server itself.
	Programs []supervise.Spec
}

// Options say how a server is started.
type Options struct {
	Dir   string      // absolute; the server's own folder
	Ports *ports.Book // where ports come from
	Self  string      // this program, which can be kfake
	// Output gets what the server writes, line by line.
	Output func(line string)
}

// MissingError says that a server is not installed.
type MissingError struct {
	Server string
	Lacks  string // what was looked for
	Remedy string // what to do
}

func (e *MissingError) Error() string {
	return fmt.Sprintf("%s is not here: %s; %s", e.Server, e.Lacks, e.Remedy)
}

// New finds a server's programs and takes its ports. It starts nothing. The error is a *MissingError if the server is not installed.
func New(ctx context.Context, name string, o Options) (*Server, error) {
	switch name {
	case Kfake:
		return newKfake(ctx, o)
	case Kafka:
		return newKafka(ctx, o)
	case RabbitMQ:
		return newRabbitMQ(ctx, o)
	case Postgres:
		return newPostgres(ctx, o)
	}
	return nil, fmt.Errorf("there is no server %q", name)
}

// Check tells whether a server is installed: the error is a *MissingError if it is not.
func Check(name string) (err error) {
	switch name {
	case Kafka:
		_, err = findKafka()
	case RabbitMQ:
		_, err = findRabbitMQ()
	case Postgres:
		_, err = findPostgres()
	}
	return err
}

// take takes so many ports.
func (o Options) take(ctx context.Context, n int) ([]int, error) {
	taken := make([]int, n)
	for i := range taken {
		var err error
		if taken[i], err = o.Ports.Take(ctx); err != nil {
			return nil, err
		}
	}
	return taken, nil
}

// environment is this process's, less what other programs would take for themselves, and with more.
func environment(without string, more ...string) []string {
	var kept []string
	for _, entry := range os.Environ() {
		if !strings.HasPrefix(entry, without) && !strings.HasPrefix(entry, "KERF_") {
			kept = append(kept, entry)
		}
	}
	return append(kept, more...)
}

// firstOf returns the first file that exists, else the program's path; "" if neither is there.
func firstOf(files []string, program string) string {
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && !info.IsDir() {
			return file
		}
	}
	found, err := exec.LookPath(program)
	if err != nil {
		return ""
	}
	found, _ = filepath.Abs(found)
	return found
}

// run runs a program that prepares something. The error holds what it said.
func run(cmd *exec.Cmd) error {
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w: %s", filepath.Base(cmd.Path), err, strings.TrimSpace(string(out)))
	}
	return nil
}
