package rpc_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
	"time"

	"kerf/platform/fault"
	"kerf/platform/rpc"
)

// mounts is a module's REST mounts.
func mounts(h http.HandlerFunc) func(*process) { return func(p *process) { p.http = h } }

func named(name string, seen *atomic.Int64) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		seen.Add(1)
		body, _ := io.ReadAll(r.Body)
		_, _ = io.WriteString(w, name+" "+r.Host+" "+r.Method+" "+r.URL.RequestURI()+" "+string(body))
	}
}

func request(ctx context.Context, t *testing.T, method string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, "http://kerf.example/v1/tickets?state=ready", body)
	if err != nil {
		t.Fatal(err)
	}
	req.GetBody = nil // as that of a request that is passed on
	return req
}

func trip(t *testing.T, c *rpc.Client, req *http.Request) (string, error) {
	t.Helper()
	res, err := c.Transport().RoundTrip(req)
	if err != nil {
		return "", err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return string(body), err
}

func TestARequestIsPassedToAReplica(t *testing.T) {
	ca := newCA(t)
	for name, row := range map[string]struct{ server, client *rpc.TLS }{
		"plain": {}, "with TLS": {certified(t, ca, "kitchen"), certified(t, ca, "gateway")},
	} {
		t.Run(name, func(t *testing.T) {
			var seen [2]atomic.Int64
			one := newProcess(t, &kitchen{}, secured(row.server), mounts(named("one", &seen[0])))
			two := newProcess(t, &kitchen{}, secured(row.server), mounts(named("two", &seen[1])))
			c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{one.address, two.address}, TLS: row.client, Policy: brisk()})
			connected(t, c)
			for range 10 {
				got, err := trip(t, c, request(t.Context(), t, http.MethodPost, strings.NewReader("body")))
				if err != nil || !strings.HasSuffix(got, " kerf.example POST /v1/tickets?state=ready body") {
					t.Fatalf("answered %q, %v", got, err)
				}
			}
			if seen[0].Load() != 5 || seen[1].Load() != 5 {
				t.Errorf("they have seen %d and %d", seen[0].Load(), seen[1].Load())
			}
		})
	}
}

func TestWhatWasNotSentGoesToAnotherReplica(t *testing.T) {
	everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
		var seen atomic.Int64
		gone := newProcess(t, &kitchen{})
		well := newProcess(t, &kitchen{}, mounts(named("well", &seen)))
		c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{gone.address, well.address}, Protocol: protocol, Policy: brisk()})
		gone.kill()
		for i := range 8 {
			method := []string{http.MethodPost, http.MethodGet}[i%2]
			if got, err := trip(t, c, request(t.Context(), t, method, strings.NewReader("body"))); err != nil || !strings.HasSuffix(got, " body") {
				t.Errorf("%s %d answered %q, %v", method, i, got, err)
			}
		}
		if got := seen.Load(); got != 8 {
			t.Errorf("the replica that is well has seen %d requests", got)
		}
	})
}

func TestOnlySafeRequestsAreRepeatedWhenTheAnswerIsLost(t *testing.T) {
	var lost, well atomic.Int64
	cut := func(w http.ResponseWriter, _ *http.Request) {
		lost.Add(1)
		panic(http.ErrAbortHandler) // closes the connection
	}
	one := newProcess(t, &kitchen{}, mounts(cut))
	two := newProcess(t, &kitchen{}, mounts(named("two", &well)))
	policy := brisk()
	policy.Ejection.Failures = 100
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{one.address, two.address}, Policy: policy, Protocol: rpc.Connect})
	for range 4 {
		if got, err := trip(t, c, request(t.Context(), t, http.MethodGet, nil)); err != nil || !strings.HasPrefix(got, "two") {
			t.Errorf("a GET answered %q, %v", got, err)
		}
	}
	if lost.Load() == 0 {
		t.Fatal("no request met the replica that loses answers")
	}
	failed, before := 0, lost.Load()+well.Load()
	for range 4 {
		_, err := trip(t, c, request(t.Context(), t, http.MethodPost, strings.NewReader("body")))
		if err != nil {
			failed++
			coded(t, err, fault.KindUnavailable, "unreachable")
		}
	}
	if seen := lost.Load() + well.Load() - before; failed == 0 || seen != 4 {
		t.Errorf("4 POSTs were seen %d times; %d failed", seen, failed)
	}
}

func TestAReplicaThatIsSilentIsPassedOverByReads(t *testing.T) {
	var seen atomic.Int64
	two := newProcess(t, &kitchen{}, mounts(named("two", &seen)))
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{silent(t), two.address}, Policy: brisk(), Protocol: rpc.Connect})
	for range 6 {
		start := time.Now()
		if got, err := trip(t, c, request(t.Context(), t, http.MethodGet, nil)); err != nil || !strings.HasPrefix(got, "two") {
			t.Errorf("answered %q, %v", got, err)
		}
		if took := time.Since(start); took > time.Second {
			t.Errorf("it took %v", took)
		}
	}
	if !c.State().Replicas[0].Ejected {
		t.Error("the silent replica is not ejected")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	alone := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{silent(t)}, Policy: brisk(), Protocol: rpc.Connect})
	_, err := trip(t, alone, request(ctx, t, http.MethodGet, nil))
	coded(t, err, fault.KindDeadline, "deadline")
}

func TestAStreamPassesAsItComes(t *testing.T) {
	next := make(chan string)
	stream := func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		control := http.NewResponseController(w)
		_ = control.Flush()
		for {
			select {
			case line := <-next:
				_, _ = io.WriteString(w, line+"\n")
				_ = control.Flush()
			case <-r.Context().Done():
				next <- "gone"
				return
			}
		}
	}
	one, two := newProcess(t, &kitchen{}, mounts(stream)), newProcess(t, &kitchen{}, mounts(stream))
	policy := brisk()
	policy.Timeout, policy.Attempt = 30*time.Millisecond, 20*time.Millisecond
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{one.address, two.address}, Policy: policy})
	connected(t, c)
	res, err := c.Transport().RoundTrip(request(t.Context(), t, http.MethodGet, nil))
	if err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(res.Body)
	for _, line := range []string{"first", "second", "third"} {
		<-time.After(40 * time.Millisecond) // longer than any call may take
		next <- line
		if !lines.Scan() || lines.Text() != line {
			t.Fatalf("read %q, %v, want %q", lines.Text(), lines.Err(), line)
		}
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
	select { // closing the body tells the owner
	case <-next:
	case <-time.After(10 * time.Second):
		t.Error("the stream goes on")
	}
}

func TestABodyThatCannotBeReadIsNoFaultOfTheReplica(t *testing.T) {
	broken := errors.New("the client went away")
	var seen atomic.Int64
	p := newProcess(t, &kitchen{}, mounts(named("one", &seen)))
	policy := brisk()
	policy.Ejection.Failures = 1
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{p.address}, Policy: policy})
	_, err := trip(t, c, request(t.Context(), t, http.MethodPost, iotest.ErrReader(broken)))
	if !errors.Is(err, broken) {
		t.Errorf("the request ended with %v", err)
	}
	if c.State().Replicas[0].Ejected {
		t.Error("the replica is ejected")
	}
}
