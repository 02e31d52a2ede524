package forward_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"kerf/cmd/topology/forward"
)

// listen opens a port of loopback that is closed with the test.
func listen(t testing.TB) net.Listener {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { listener.Close() })
	return listener
}

// replica answers each line with its name and the line.
func replica(t *testing.T, name string) string {
	t.Helper()
	listener := listen(t)
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				lines := bufio.NewScanner(conn)
				for lines.Scan() {
					fmt.Fprintf(conn, "%s: %s\n", name, lines.Text())
				}
				fmt.Fprintf(conn, "%s: bye\n", name)
			}()
		}
	}()
	return listener.Addr().String()
}

// start runs a forwarder, and returns its address and what ends it.
func start(t testing.TB, replicas func() []string) (address string, f *forward.Forwarder, stop func()) {
	t.Helper()
	listener := listen(t)
	f = forward.New(listener, replicas, slog.New(slog.DiscardHandler))
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := f.Run(ctx); err != nil {
			t.Error(err)
		}
	}()
	stop = func() {
		cancel()
		<-ended
	}
	t.Cleanup(stop)
	return listener.Addr().String(), f, stop
}

func dial(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return conn.(*net.TCPConn)
}

// ask sends a line and returns the answer.
func ask(t *testing.T, conn net.Conn, line string) string {
	t.Helper()
	fmt.Fprintln(conn, line)
	answer, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(answer)
}

func TestConnectionsGoToTheReplicasInTurn(t *testing.T) {
	replicas := []string{replica(t, "a"), replica(t, "b"), replica(t, "c")}
	address, _, _ := start(t, func() []string { return replicas })
	counts := map[string]int{}
	for range 9 {
		counts[ask(t, dial(t, address), "hello")]++
	}
	for _, name := range []string{"a", "b", "c"} {
		if counts[name+": hello"] != 3 {
			t.Errorf("answers: %v", counts)
		}
	}
}

func TestAReplicaThatIsNotThereIsSkipped(t *testing.T) {
	gone := listen(t)
	gone.Close()
	replicas := []string{gone.Addr().String(), replica(t, "b")}
	address, _, _ := start(t, func() []string { return replicas })
	for range 4 {
		if got := ask(t, dial(t, address), "hello"); got != "b: hello" {
			t.Errorf("answer: %s", got)
		}
	}
}

func TestWithoutAReplicaTheConnectionEnds(t *testing.T) {
	address, _, _ := start(t, func() []string { return nil })
	if rest, err := io.ReadAll(dial(t, address)); err != nil || len(rest) > 0 {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestTheEndOfOneDirectionIsPassedOn(t *testing.T) {
	a := replica(t, "a")
	address, _, _ := start(t, func() []string { return []string{a} })
	conn := dial(t, address)
	fmt.Fprintln(conn, "last")
	if err := conn.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	if rest, err := io.ReadAll(conn); err != nil || string(rest) != "a: last\na: bye\n" {
		t.Errorf("%q, %v", rest, err)
	}
}

func TestDrainingTakesNoMoreAndLetsTheOpenEnd(t *testing.T) {
	a := replica(t, "a")
	address, f, stop := start(t, func() []string { return []string{a} })
	conn := dial(t, address)
	ask(t, conn, "before")

	stop()

	if late, err := net.Dial("tcp", address); err == nil {
		late.Close()
		t.Error("a connection was taken after the end")
	}
	if got := ask(t, conn, "after"); got != "a: after" {
		t.Errorf("answer: %s", got)
	}
	stopped := make(chan error, 1)
	go func() { stopped <- f.Stop(t.Context()) }()
	conn.Close()
	if err := <-stopped; err != nil {
		t.Error(err)
	}
}

func TestWhatDoesNotEndIsCutOff(t *testing.T) {
	a := replica(t, "a")
	address, f, stop := start(t, func() []string { return []string{a} })
	conn := dial(t, address)
	ask(t, conn, "before")
	stop()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	if err := f.Stop(ctx); err == nil {
		t.Error("nothing was cut off")
	}
	if _, err := io.ReadAll(conn); errors.Is(err, os.ErrDeadlineExceeded) {
		t.Error("the connection goes on")
	}
}

// What a client pays for going through the forwarder: a small request on a connection that is kept, by one client and by 16.
func BenchmarkForward(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") }))
	b.Cleanup(server.Close)
	target := server.Listener.Addr().String()
	through, _, _ := start(b, func() []string { return []string{target} })
	for _, way := range []struct{ name, address string }{{"direct", target}, {"forwarded", through}} {
		for _, clients := range []int{1, 16} {
			b.Run(fmt.Sprintf("%s/clients=%d", way.name, clients), func(b *testing.B) {
				client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: clients}}
				defer client.CloseIdleConnections()
				var failed atomic.Int64
				b.SetParallelism(max(1, clients/2)) // times GOMAXPROCS
				b.RunParallel(func(pb *testing.PB) {
					for pb.Next() {
						response, err := client.Get("http://" + way.address)
						if err != nil {
							failed.Add(1)
							continue
						}
						io.Copy(io.Discard, response.Body)
						response.Body.Close()
					}
				})
				if n := failed.Load(); n > 0 {
					b.Errorf("%d failed", n)
				}
			})
		}
	}
}
