package rpc_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"kerf/platform/platformpb"
	"kerf/platform/rpc"
)

func greeting(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	_, _ = fmt.Fprintf(w, "%s %s %s %s", r.Proto, r.Method, r.URL.Path, body)
}

func internalPort(log *journal, m audited) rpc.Internal {
	server := rpc.NewServer(rpc.ServerConfig{Log: logTo(log)})
	platformpb.RegisterPlatformService(server.For(m.name), m)
	return rpc.Internal{Server: server, HTTP: http.HandlerFunc(greeting), Grace: 10 * time.Second, Log: logTo(log)}
}

func TestOnePortServesGRPCAndHTTP(t *testing.T) {
	address := run(t, internalPort(&journal{}, audited{name: "kitchen"}))
	for range 3 {
		if got, err := askAt(t.Context(), t, "kitchen", address); err != nil || got != "kitchen" {
			t.Fatalf("gRPC answered %q, %v", got, err)
		}
		// POST and PUT begin as the preface does.
		for _, method := range []string{http.MethodGet, http.MethodPost, http.MethodPut} {
			if got, want := send(t, method, address), "HTTP/1.1 "+method+" /livez body"; got != want {
				t.Fatalf("HTTP answered %q, want %q", got, want)
			}
		}
	}
}

func send(t *testing.T, method, address string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), method, "http://"+address+"/livez", strings.NewReader("body"))
	if err != nil {
		t.Fatal(err)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}

func TestARequestThatComesInPiecesIsWhole(t *testing.T) {
	address := run(t, internalPort(&journal{}, audited{name: "kitchen"}))
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	for _, piece := range []string{"P", "R", "OPFIND /livez HTTP/1.1\r\nHost: kerf\r\nConnection: close\r\n\r\n"} {
		if _, err := io.WriteString(conn, piece); err != nil {
			t.Fatal(err)
		}
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	if body, err := io.ReadAll(res.Body); err != nil || string(body) != "HTTP/1.1 PROPFIND /livez " {
		t.Errorf("answered %q, %v", body, err)
	}
}

func TestASilentConnectionHoldsNothingUp(t *testing.T) {
	port := internalPort(&journal{}, audited{name: "kitchen"})
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port.Listener = lis
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- port.Run(ctx) }()
	silent, err := net.Dial("tcp", lis.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = silent.Close() }()
	if got, err := askAt(t.Context(), t, "kitchen", lis.Addr().String()); err != nil || got != "kitchen" {
		t.Fatalf("beside it, gRPC answered %q, %v", got, err)
	}
	cancel()
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Run() = %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the port did not close")
	}
}

func TestACallUnderWayEndsBeforeThePortCloses(t *testing.T) {
	m := audited{name: "kitchen", entered: make(chan struct{}), leave: make(chan struct{})}
	port := internalPort(&journal{}, m)
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port.Listener = lis
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- port.Run(ctx) }()
	answered := make(chan error, 1)
	go func() {
		_, err := askAt(t.Context(), t, "kitchen", lis.Addr().String())
		answered <- err
	}()
	<-m.entered
	cancel()
	select {
	case err := <-ended:
		t.Fatalf("the port closed over a call: %v", err)
	case <-time.After(50 * time.Millisecond):
	}
	close(m.leave)
	if err := <-answered; err != nil {
		t.Errorf("the call ended with %v", err)
	}
	if err := <-ended; err != nil {
		t.Errorf("Run() = %v", err)
	}
}

func TestStreamsAreEndedBeforeThePortCloses(t *testing.T) {
	drained, streaming := make(chan struct{}), make(chan struct{})
	port := internalPort(&journal{}, audited{name: "kitchen"})
	port.HTTP = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		_ = http.NewResponseController(w).Flush()
		close(streaming)
		<-drained
	})
	port.Drain = func(context.Context) error { close(drained); return nil }
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port.Listener = lis
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- port.Run(ctx) }()
	res, err := http.Get("http://" + lis.Addr().String() + "/stream")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	<-streaming
	cancel()
	if _, err := io.ReadAll(res.Body); err != nil {
		t.Errorf("the stream was cut off: %v", err)
	}
	select {
	case err := <-ended:
		if err != nil {
			t.Errorf("Run() = %v", err)
		}
	case <-time.After(5 * time.Second):
		t.Error("the port did not close")
	}
}
