package kafka_test

import (
	"bufio"
	"context"
	"fmt"
	"log/slog"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	kafkago "github.com/segmentio/kafka-go"

	"kerf/cmd/topology/kfake"
	"kerf/platform/bus/kafka"
)

// asKfake makes the test's binary a broker: "address dir".
const asKfake = "KERF_TEST_AS_KFAKE"

func TestMain(m *testing.M) {
	if where := os.Getenv(asKfake); where != "" {
		address, dir, _ := strings.Cut(where, " ")
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		// The test's end of the pipe closes when it dies, and the broker must not outlive it.
		go func() {
			_, _ = bufio.NewReader(os.Stdin).ReadByte()
			stop()
		}()
		if err := kfake.Run(ctx, address, dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

// broker is where a suite runs.
type broker struct {
	name    string
	address string
	// kill ends the broker as a power switch would and starts it again with its data; nil if that cannot be done.
	kill func() error
}

// kfakeProcess starts kfake as a process of its own.
func kfakeProcess(t testing.TB) *broker {
	t.Helper()
	address, dir := freeAddress(t), t.TempDir()
	var process *exec.Cmd
	start := func() error {
		process = exec.Command(os.Args[0])
		process.Env = append(os.Environ(), asKfake+"="+address+" "+dir)
		process.Stderr = os.Stderr
		if _, err := process.StdinPipe(); err != nil {
			return err
		}
		if err := process.Start(); err != nil {
			return err
		}
		return answers(address)
	}
	kill := func() {
		_ = process.Process.Kill()
		_ = process.Wait()
	}
	if err := start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(kill)
	return &broker{"kfake", address, func() error {
		kill()
		return start()
	}}
}

// apacheKafka is the broker that the environment names.
func apacheKafka(t testing.TB) *broker {
	t.Helper()
	address := os.Getenv("KERF_TEST_KAFKA")
	if address == "" {
		t.Skip("KERF_TEST_KAFKA is not set: it takes the host:port of an Apache Kafka (deploy/kafka/fetch fetches one)")
	}
	b := &broker{name: "Apache Kafka", address: address}
	if command := os.Getenv("KERF_TEST_KAFKA_RESTART"); command != "" {
		b.kill = func() error {
			cmd := exec.Command("bash", "-c", command)
			cmd.Stderr = os.Stderr
			if err := cmd.Run(); err != nil {
				return fmt.Errorf("%s: %w", command, err)
			}
			return answers(address)
		}
	}
	return b
}

func freeAddress(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// answers waits until a broker answers.
func answers(address string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		transport := &kafkago.Transport{}
		client := &kafkago.Client{Addr: kafkago.TCP(address), Transport: transport}
		answer, err := client.Metadata(ctx, &kafkago.MetadataRequest{})
		transport.CloseIdleConnections()
		if err == nil && len(answer.Brokers) > 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("broker on %s does not answer: %w", address, err)
		}
	}
}

// quick has short timings.
var quick = kafka.Timing{
	Heartbeat: 200 * time.Millisecond,
	Session:   6 * time.Second,
	Commit:    20 * time.Millisecond,
	Grace:     100 * time.Millisecond,
	Retry:     100 * time.Millisecond,
	Lag:       100 * time.Millisecond,
}

func newBus(t testing.TB, b *broker, change func(*kafka.Config)) *kafka.Bus {
	t.Helper()
	cfg := kafka.Config{Brokers: []string{b.address}, Timing: quick}
	if change != nil {
		change(&cfg)
	}
	made, err := kafka.New(cfg, slog.New(slog.DiscardHandler), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := made.Close(); err != nil {
			t.Error(err)
		}
	})
	return made
}
