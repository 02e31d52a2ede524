package servers_test

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	amqp "github.com/rabbitmq/amqp091-go"
	"github.com/segmentio/kafka-go"

	"kerf/cmd/topology/kfake"
	"kerf/cmd/topology/ports"
	"kerf/cmd/topology/servers"
	"kerf/cmd/topology/supervise"
)

// TestMain makes the test's binary be kfake when it is started as that.
func TestMain(m *testing.M) {
	if len(os.Args) < 2 || os.Args[1] != servers.Kfake {
		os.Exit(m.Run())
	}
	flags := flag.NewFlagSet(servers.Kfake, flag.ExitOnError)
	listen, data := flags.String("listen", "", ""), flags.String("data", "", "")
	_ = flags.Parse(os.Args[2:])
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := kfake.Run(ctx, *listen, *data); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// running is a server under test.
type running struct {
	t        *testing.T
	address  string
	children []*supervise.Child
	cancels  []context.CancelFunc
	ended    []chan error

	mu     sync.Mutex
	output []string
}

// start starts a server with its data in dir, and waits until it is ready.
func start(t *testing.T, name, dir string) *running {
	t.Helper()
	if err := servers.Check(name); err != nil {
		t.Skip(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	book := ports.New()
	r := &running{t: t}
	server, err := servers.New(t.Context(), name, servers.Options{Dir: dir, Ports: book, Self: self, Output: r.hear})
	if err != nil {
		t.Fatal(err)
	}
	r.address = server.Address
	if err := server.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	starter := supervise.NewStarter()
	t.Cleanup(func() {
		r.stop()
		starter.Close()
		book.Close()
		if t.Failed() {
			t.Log(strings.Join(r.output, "\n"))
		}
	})
	for _, spec := range server.Programs {
		child := supervise.New(spec, starter, slog.New(slog.DiscardHandler), nil)
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		ended := make(chan error, 1)
		go func() { ended <- child.Run(ctx) }()
		r.children, r.cancels, r.ended = append(r.children, child), append(r.cancels, cancel), append(r.ended, ended)
		select {
		case <-child.FirstReady():
		case err := <-ended:
			ended <- err
			t.Fatal(err)
		case <-time.After(time.Minute):
			t.Fatalf("%s is not ready", spec.Name)
		}
	}
	return r
}

func (r *running) hear(line string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.output = append(r.output, line)
}

// stop stops the server gently; it may be called again.
func (r *running) stop() {
	for i := len(r.cancels) - 1; i >= 0; i-- {
		r.cancels[i]()
		if err := <-r.ended[i]; err != nil {
			r.t.Error(err)
		}
		if how := r.children[i].Status().Ended; strings.Contains(how, "killed") {
			r.t.Errorf("%s did not end gently: %s", r.children[i].Name(), how)
		}
		r.ended[i] <- nil
	}
}

// server is the program that is the server itself.
func (r *running) server() *supervise.Child { return r.children[len(r.children)-1] }

// kill kills the server, and waits until it is back.
func (r *running) kill() {
	r.t.Helper()
	before := r.server().Status()
	if err := syscall.Kill(before.PID, syscall.SIGKILL); err != nil {
		r.t.Fatal(err)
	}
	r.await("the server is back", func() error {
		if now := r.server().Status(); now.State != supervise.Ready || now.PID == before.PID {
			return fmt.Errorf("it is %s", now.State)
		}
		return nil
	})
}

// await tries until f succeeds: a client of a server that was killed may have to try twice.
func (r *running) await(what string, f func() error) {
	r.t.Helper()
	ticker := time.NewTicker(20 * time.Millisecond)
	defer ticker.Stop()
	deadline := time.After(time.Minute)
	for {
		err := f()
		if err == nil {
			return
		}
		select {
		case <-ticker.C:
		case <-deadline:
			r.t.Fatalf("%s: %v", what, err)
		}
	}
}

// client writes a value into a server, and reads those that are in it.
type client struct {
	write func(ctx context.Context, address, value string) error
	read  func(ctx context.Context, address string, want int) (values []string, err error)
}

var clients = map[string]client{
	servers.Kfake:    {writeKafka, readKafka},
	servers.Kafka:    {writeKafka, readKafka},
	servers.RabbitMQ: {writeRabbitMQ, readRabbitMQ},
	servers.Postgres: {writePostgres, readPostgres},
}

// What was made at the first start is killed only after the second: RabbitMQ 3 writes that a queue was declared some seconds after it said so.
func TestAServerKeepsWhatItAcknowledgedThroughRestartAndDeath(t *testing.T) {
	for _, name := range servers.Names {
		t.Run(name, func(t *testing.T) {
			dir, c := filepath.Join(t.TempDir(), name), clients[name]
			ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
			defer cancel()
			expect := func(r *running, when string, want ...string) {
				t.Helper()
				r.await(when, func() error {
					got, err := c.read(ctx, r.address, len(want))
					if err == nil && !slices.Equal(got, want) {
						err = fmt.Errorf("read %q", got)
					}
					return err
				})
			}
			r := start(t, name, dir)
			r.expectLoopback()
			r.await("write", func() error { return c.write(ctx, r.address, "one") })

			r.stop()
			r = start(t, name, dir)
			expect(r, "after it was stopped", "one")
			if err := c.write(ctx, r.address, "two"); err != nil {
				t.Fatal(err)
			}

			r.kill()
			expect(r, "after it was killed", "one", "two")
		})
	}
}

func writeKafka(ctx context.Context, address, value string) error {
	client := &kafka.Client{Addr: kafka.TCP(address), Timeout: 5 * time.Second}
	answer, err := client.CreateTopics(ctx, &kafka.CreateTopicsRequest{Topics: []kafka.TopicConfig{{Topic: "kept", NumPartitions: 1, ReplicationFactor: 1}}})
	if err != nil {
		return err
	}
	if err := answer.Errors["kept"]; err != nil && !errors.Is(err, kafka.TopicAlreadyExists) {
		return err
	}
	writer := &kafka.Writer{Addr: kafka.TCP(address), Topic: "kept", RequiredAcks: kafka.RequireAll, BatchSize: 1}
	defer writer.Close()
	return writer.WriteMessages(ctx, kafka.Message{Value: []byte(value)})
}

func readKafka(ctx context.Context, address string, want int) (values []string, err error) {
	reader := kafka.NewReader(kafka.ReaderConfig{Brokers: []string{address}, Topic: "kept", MaxWait: 100 * time.Millisecond})
	defer reader.Close()
	ctx, cancel := context.WithTimeout(ctx, 20*time.Second)
	defer cancel()
	for range want {
		message, err := reader.ReadMessage(ctx)
		if err != nil {
			return values, err
		}
		values = append(values, string(message.Value))
	}
	return values, nil
}

func writeRabbitMQ(ctx context.Context, address, value string) error {
	return onChannel(address, func(ch *amqp.Channel) error {
		if err := ch.Confirm(false); err != nil {
			return err
		}
		confirmation, err := ch.PublishWithDeferredConfirmWithContext(ctx, "", "kept", false, false, amqp.Publishing{DeliveryMode: amqp.Persistent, Body: []byte(value)})
		if err != nil {
			return err
		}
		if acked, err := confirmation.WaitContext(ctx); err != nil || !acked {
			return fmt.Errorf("not acknowledged: %w", err)
		}
		return nil
	})
}

// readRabbitMQ acknowledges nothing, so that all can be read again.
func readRabbitMQ(_ context.Context, address string, _ int) (values []string, err error) {
	err = onChannel(address, func(ch *amqp.Channel) error {
		for {
			message, ok, err := ch.Get("kept", false)
			if err != nil || !ok {
				return err
			}
			values = append(values, string(message.Body))
		}
	})
	return values, err
}

func onChannel(address string, do func(*amqp.Channel) error) error {
	conn, err := amqp.Dial(address)
	if err != nil {
		return err
	}
	defer conn.Close()
	ch, err := conn.Channel()
	if err != nil {
		return err
	}
	if _, err := ch.QueueDeclare("kept", true, false, false, false, nil); err != nil {
		return err
	}
	return do(ch)
}

func writePostgres(ctx context.Context, address, value string) error {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return err
	}
	defer conn.Close(ctx)
	if _, err := conn.Exec(ctx, "CREATE TABLE IF NOT EXISTS kept (value text)"); err != nil {
		return err
	}
	_, err = conn.Exec(ctx, "INSERT INTO kept VALUES ($1)", value)
	return err
}

func readPostgres(ctx context.Context, address string, _ int) (values []string, err error) {
	conn, err := pgx.Connect(ctx, address)
	if err != nil {
		return nil, err
	}
	defer conn.Close(ctx)
	rows, err := conn.Query(ctx, "SELECT value FROM kept ORDER BY ctid")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// expectLoopback makes sure that whoever has a server on this machine has it alone: nothing of it answers at an address that others reach.
func (r *running) expectLoopback() {
	r.t.Helper()
	outside := foreignAddress(r.t)
	if outside == "" {
		return // where there is no other address, none can answer
	}
	for _, child := range r.children {
		for _, port := range listening(r.t, child.Status().PID) {
			if conn, err := net.DialTimeout("tcp", net.JoinHostPort(outside, port), time.Second); err == nil {
				conn.Close()
				r.t.Errorf("%s answers at %s:%s", child.Name(), outside, port)
			}
		}
	}
}

func TestPostgresAsksForAPassword(t *testing.T) {
	r := start(t, servers.Postgres, filepath.Join(t.TempDir(), "postgres"))
	host := r.address[strings.LastIndex(r.address, "@")+1:]
	if _, err := readPostgres(t.Context(), "postgres://postgres:wrong@"+host, 0); err == nil || !strings.Contains(err.Error(), "password") {
		t.Errorf("error = %v", err)
	}
}

// foreignAddress is one of this machine's that is not loopback, "" if it has none.
func foreignAddress(t *testing.T) string {
	t.Helper()
	all, err := net.InterfaceAddrs()
	if err != nil {
		t.Fatal(err)
	}
	for _, address := range all {
		if n, ok := address.(*net.IPNet); ok && !n.IP.IsLoopback() && n.IP.To4() != nil {
			return n.IP.String()
		}
	}
	return ""
}

// listening are the ports on which a process and what it started accept connections.
func listening(t *testing.T, pid int) []string {
	t.Helper()
	inodes := map[string]bool{}
	links, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, link := range links {
		target, err := os.Readlink(link)
		if inode, ok := strings.CutPrefix(target, "socket:["); err == nil && ok {
			inodes[strings.TrimSuffix(inode, "]")] = true
		}
	}
	var found []string
	for _, table := range []string{"/proc/net/tcp", "/proc/net/tcp6"} {
		content, err := os.ReadFile(table)
		if err != nil {
			continue
		}
		for line := range strings.Lines(string(content)) {
			fields := strings.Fields(line)
			if len(fields) < 10 || fields[3] != "0A" || !inodes[fields[9]] {
				continue
			}
			var port int
			if _, err := fmt.Sscanf(fields[1][strings.LastIndex(fields[1], ":")+1:], "%X", &port); err == nil {
				found = append(found, fmt.Sprint(port))
			}
		}
	}
	if len(found) == 0 {
		t.Errorf("process %d listens nowhere", pid)
	}
	return found
}

func TestWhatIsNotInstalledIsNamedWithItsRemedy(t *testing.T) {
	t.Setenv("KAFKA_HOME", t.TempDir())

	err := servers.Check(servers.Kafka)

	var missing *servers.MissingError
	if !errors.As(err, &missing) || !strings.Contains(err.Error(), "deploy/kafka/fetch") || !strings.Contains(err.Error(), "-kfake") {
		t.Errorf("error = %v", err)
	}
	if _, err := servers.New(t.Context(), servers.Kafka, servers.Options{Ports: ports.New()}); !errors.As(err, &missing) {
		t.Errorf("error = %v", err)
	}
	if err := servers.Check(servers.Kfake); err != nil {
		t.Errorf("kfake: %v", err)
	}
}
