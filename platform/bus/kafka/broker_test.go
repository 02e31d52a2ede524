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
	"path/filepath"
	"strconv"
	"strings"
	"sync"
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
	address string
	// restart is a command that ends the broker as a crash would and starts it again with its data; nil if there is none. It need not
	// wait until the broker answers.
	restart []string
	pid     string // of kfake: the file with its process id
}

// kill restarts the broker and waits until it answers.
func (b *broker) kill(t *testing.T) {
	if out, err := exec.Command(b.restart[0], b.restart[1:]...).CombinedOutput(); err != nil {
		t.Errorf("%v: %v: %s", b.restart, err, out)
	}
	if err := answers(b.address); err != nil {
		t.Error(err)
	}
}

// kfakeProcess starts kfake as a process of its own, which is started again whenever it dies.
func kfakeProcess(t testing.TB) *broker {
	t.Helper()
	address, dir := freeAddress(t), t.TempDir()
	pid := filepath.Join(t.TempDir(), "pid")
	ctx, cancel := context.WithCancel(context.Background())
	var keeping sync.WaitGroup
	keeping.Go(func() {
		for ctx.Err() == nil {
			process := exec.CommandContext(ctx, os.Args[0])
			process.Env = append(os.Environ(), asKfake+"="+address+" "+dir)
			process.Stderr = os.Stderr
			_, err := process.StdinPipe()
			if err == nil {
				err = process.Start()
			}
			if err == nil {
				err = os.WriteFile(pid, []byte(strconv.Itoa(process.Process.Pid)), 0o600)
			}
			if err != nil {
				t.Errorf("start kfake: %v", err)
				return
			}
			_ = process.Wait() // it was killed
		}
	})
	t.Cleanup(func() {
		cancel()
		keeping.Wait()
	})
	if err := answers(address); err != nil {
		t.Fatal(err)
	}
	return &broker{address: address, restart: []string{"sh", "-c", "kill -9 $(cat " + pid + ")"}, pid: pid}
}

// apacheKafka is the broker that the environment names.
func apacheKafka(t testing.TB) *broker {
	t.Helper()
	address := os.Getenv("KERF_TEST_KAFKA")
	if address == "" {
		t.Skip("KERF_TEST_KAFKA is not set: it takes the host:port of an Apache Kafka (deploy/kafka/fetch fetches one)")
	}
	b := &broker{address: address}
	if command := os.Getenv("KERF_TEST_KAFKA_RESTART"); command != "" {
		b.restart = []string{"bash", "-c", command}
	}
	return b
}

// listenOn listens on an address, whatever else is asked for.
func listenOn(address string) func(network, address string) (net.Listener, error) {
	return func(network, _ string) (net.Listener, error) { return net.Listen(network, address) }
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
	Fetch:     time.Second,
	Heartbeat: 200 * time.Millisecond,
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
