package servers

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"time"

	amqp "github.com/rabbitmq/amqp091-go"

	"kerf/cmd/topology/ports"
	"kerf/cmd/topology/supervise"
)

// rabbitInstalled is where RabbitMQ and Erlang's port mapper are.
type rabbitInstalled struct{ server, epmd string }

// findRabbitMQ prefers RabbitMQ's own script to the one that Debian puts on PATH, which changes user, folder and environment.
func findRabbitMQ() (rabbitInstalled, error) {
	found := rabbitInstalled{
		server: firstOf([]string{
			filepath.Join(os.Getenv("RABBITMQ_HOME"), "sbin", "rabbitmq-server"),
			"/usr/lib/rabbitmq/bin/rabbitmq-server",
		}, "rabbitmq-server"),
		epmd: firstOf([]string{"/usr/bin/epmd"}, "epmd"),
	}
	if found.server == "" || found.epmd == "" {
		return found, &MissingError{Server: RabbitMQ, Lacks: "neither /usr/lib/rabbitmq/bin/rabbitmq-server nor rabbitmq-server with epmd on PATH was found",
			Remedy: "install it (Debian: apt-get install rabbitmq-server)"}
	}
	return found, nil
}

func newRabbitMQ(ctx context.Context, o Options) (*Server, error) {
	installed, err := findRabbitMQ()
	if err != nil {
		return nil, err
	}
	taken, err := o.take(ctx, 3)
	if err != nil {
		return nil, err
	}
	port, distribution, mapper := taken[0], taken[1], taken[2]
	url := "amqp://guest:guest@" + ports.Address(port) + "/"
	env := rabbitEnvironment(o.Dir, port, distribution, mapper)
	return &Server{
		Name:    RabbitMQ,
		Address: url,
		Prepare: func(context.Context) error { return prepareRabbitMQ(o.Dir, port) },
		Programs: []supervise.Spec{
			{
				// Erlang would start its port mapper by itself, as a daemon that outlives everything.
				Name: "epmd",
				Command: func() *exec.Cmd {
					o.Ports.Release(mapper)
					cmd := exec.Command(installed.epmd, "-port", strconv.Itoa(mapper), "-address", "127.0.0.1")
					cmd.Env = env
					return cmd
				},
				Output: o.Output,
				Ready:  func(ctx context.Context) error { return accepts(ctx, ports.Address(mapper)) },
			},
			{
				Name: RabbitMQ,
				Command: func() *exec.Cmd {
					o.Ports.Release(port)
					o.Ports.Release(distribution)
					cmd := exec.Command(installed.server)
					cmd.Env, cmd.Dir = env, o.Dir
					return cmd
				},
				Output: warnings(o.Output),
				Ready:  func(ctx context.Context) error { return rabbitAnswers(ctx, url) },
				Grace:  20 * time.Second,
			},
		},
	}, nil
}

var (
	colours = regexp.MustCompile("\x1b\\[[0-9;]*m")
	warning = regexp.MustCompile(`\[(warning|error|critical|alert|emergency)\].*|.*BOOT FAILED.*`)
)

// warnings passes on what RabbitMQ warns of. It greets with a banner of thirty lines, and logs in colours wherever that goes.
func warnings(output func(line string)) func(line string) {
	return func(line string) {
		if found := warning.FindString(colours.ReplaceAllString(line, "")); found != "" {
			output(found)
		}
	}
}

// rabbitEnvironment keeps all that RabbitMQ writes in dir, and all that it listens on at loopback. As under systemd, the script becomes the Erlang machine
// instead of watching over it; idle schedulers sleep at once instead of spinning.
func rabbitEnvironment(dir string, port, distribution, mapper int) []string {
	return environment("RABBITMQ_",
		"HOME="+filepath.Join(dir, "home"), "LANG=C.UTF-8", "RUNNING_UNDER_SYSTEMD=true",
		"RABBITMQ_NODENAME=kerf@localhost", "RABBITMQ_BASE="+dir,
		"RABBITMQ_MNESIA_BASE="+filepath.Join(dir, "mnesia"), "RABBITMQ_LOG_BASE="+filepath.Join(dir, "log"),
		"RABBITMQ_ENABLED_PLUGINS_FILE="+filepath.Join(dir, "enabled_plugins"), "RABBITMQ_CONFIG_FILE="+filepath.Join(dir, "rabbitmq.conf"),
		"RABBITMQ_NODE_IP_ADDRESS=127.0.0.1", "RABBITMQ_NODE_PORT="+strconv.Itoa(port), "RABBITMQ_DIST_PORT="+strconv.Itoa(distribution),
		"ERL_EPMD_ADDRESS=127.0.0.1", "ERL_EPMD_PORT="+strconv.Itoa(mapper),
		"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=-kernel inet_dist_use_interface {127,0,0,1} +sbwt none +sbwtdcpu none +sbwtdio none",
	)
}

func prepareRabbitMQ(dir string, port int) error {
	if err := os.MkdirAll(filepath.Join(dir, "home"), 0o700); err != nil {
		return err
	}
	for name, content := range map[string]string{
		"enabled_plugins": "[].\n",
		"rabbitmq.conf":   fmt.Sprintf("listeners.tcp.default = 127.0.0.1:%d\nlog.console = true\nlog.console.level = warning\nlog.file = false\n", port),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// accepts tells whether somebody listens at an address.
func accepts(ctx context.Context, address string) error {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// rabbitAnswers signs in: RabbitMQ listens when it has started everything else.
func rabbitAnswers(ctx context.Context, url string) error {
	conn, err := amqp.DialConfig(url, amqp.Config{
		Heartbeat: 10 * time.Second,
		Dial: func(network, address string) (net.Conn, error) {
			conn, err := new(net.Dialer).DialContext(ctx, network, address)
			if err != nil {
				return nil, err
			}
			// The library takes the deadline off again when it has signed in.
			if deadline, ok := ctx.Deadline(); ok {
				err = conn.SetDeadline(deadline)
			}
			return conn, err
		},
	})
	if err != nil {
		return err
	}
	return conn.Close()
}
