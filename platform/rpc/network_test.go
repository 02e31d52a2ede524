package rpc_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"sync"
	"testing"
	"time"

	"kerf/platform/platformpb"
	"kerf/platform/rpc"
)

// await waits until a condition holds, which it must soon.
func await(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !holds(); {
		if time.Now().After(deadline) {
			t.Fatalf("waited in vain for %s", what)
		}
		<-time.After(2 * time.Millisecond)
	}
}

// process is one that has the module kitchen; it can be killed and started again at the same address.
type process struct {
	t       testing.TB
	address string
	config  rpc.ServerConfig
	tls     *rpc.TLS
	http    http.Handler
	service platformpb.PlatformService

	stop func()
}

// newProcess starts a process; set may change what it is before that.
func newProcess(t testing.TB, service platformpb.PlatformService, set ...func(*process)) *process {
	t.Helper()
	p := &process{t: t, address: "127.0.0.1:0", service: service, http: http.NotFoundHandler(), config: rpc.ServerConfig{Log: logTo(&journal{})}}
	for _, s := range set {
		s(p)
	}
	p.start()
	t.Cleanup(func() { p.kill() })
	return p
}

func (p *process) start() {
	p.t.Helper()
	var lis net.Listener
	await(p.t, "the address to be free", func() bool {
		var err error
		lis, err = net.Listen("tcp", p.address)
		return err == nil
	})
	p.address = lis.Addr().String()
	server := rpc.NewServer(p.config)
	platformpb.RegisterPlatformService(server.For("kitchen"), p.service)
	port := rpc.Internal{Listener: lis, Server: server, HTTP: p.http, TLS: p.tls, Grace: time.Millisecond, Log: p.config.Log}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		_ = port.Run(ctx) // that it was killed in the middle of something is what the test wants
	}()
	p.stop = func() {
		cancel()
		<-ended
	}
}

func (p *process) kill() { p.stop() }

// wire is a network between a client and a process that can be cut, and held up.
type wire struct {
	listener net.Listener
	to       string

	mu    sync.Mutex
	cond  *sync.Cond
	held  bool
	conns []net.Conn
}

func newWire(t testing.TB, to string) *wire {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	w := &wire{listener: lis, to: to}
	w.cond = sync.NewCond(&w.mu)
	var running sync.WaitGroup
	running.Go(func() {
		for {
			from, err := lis.Accept()
			if err != nil {
				return
			}
			running.Go(func() { w.carry(from) })
		}
	})
	t.Cleanup(func() {
		_ = lis.Close()
		w.hold(false)
		w.cut()
		running.Wait()
	})
	return w
}

func (w *wire) address() string { return w.listener.Addr().String() }

// hold has everything stay on its way, as if the process behind were stopped; what is accepted is not answered.
func (w *wire) hold(held bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.held = held
	w.cond.Broadcast()
}

// cut breaks all connections.
func (w *wire) cut() {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, conn := range w.conns {
		_ = conn.Close()
	}
	w.conns = nil
}

func (w *wire) carry(from net.Conn) {
	to, err := net.Dial("tcp", w.to)
	if err != nil {
		_ = from.Close()
		return
	}
	w.mu.Lock()
	w.conns = append(w.conns, from, to)
	w.mu.Unlock()
	var both sync.WaitGroup
	both.Go(func() { w.pump(to, from) })
	both.Go(func() { w.pump(from, to) })
	both.Wait()
}

func (w *wire) pump(to, from net.Conn) {
	defer func() { _, _ = to.Close(), from.Close() }()
	buffer := make([]byte, 32<<10)
	for {
		n, err := from.Read(buffer)
		w.mu.Lock()
		for w.held {
			w.cond.Wait()
		}
		w.mu.Unlock()
		if _, failed := to.Write(buffer[:n]); failed != nil || err != nil {
			return
		}
	}
}

// silent accepts connections and never says anything.
func silent(t testing.TB) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			conn, err := lis.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				_, _ = io.Copy(io.Discard, conn)
				_ = conn.Close()
			})
		}
	})
	t.Cleanup(func() { _ = lis.Close() })
	return lis.Addr().String()
}
