package rpc_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/peer"

	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/platformpb"
	"kerf/platform/rpc"
)

// audited is a module that says its name.
type audited struct {
	platformpb.PlatformService
	name string
	err  error
	// entered and leave, if set, hold a call.
	entered, leave chan struct{}
}

func (a audited) Audit(context.Context, *platformpb.AuditRequest) (*platformpb.AuditResponse, error) {
	if a.entered != nil {
		a.entered <- struct{}{}
		<-a.leave
	}
	return &platformpb.AuditResponse{Module: a.name}, a.err
}

// journal is a log that tests read while others write.
type journal struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (j *journal) Write(b []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(b)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

func logTo(j *journal) *slog.Logger { return slog.New(slog.NewTextHandler(j, nil)) }

// serve serves modules, and nothing else over HTTP than their names, on an internal port; it returns its address.
func serve(t *testing.T, config rpc.ServerConfig, modules ...audited) string {
	t.Helper()
	if config.Log == nil {
		config.Log = logTo(&journal{})
	}
	server := rpc.NewServer(config)
	for _, m := range modules {
		platformpb.RegisterPlatformService(server.For(m.name), m)
	}
	return run(t, rpc.Internal{Server: server, HTTP: http.NotFoundHandler(), Grace: time.Second, Log: config.Log})
}

func run(t *testing.T, port rpc.Internal) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port.Listener = lis
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- port.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Run() = %v", err)
		}
	})
	return lis.Addr().String()
}

// audit asks a module, at addresses, for its name.
func audit(ctx context.Context, t *testing.T, module string, addresses ...string) (string, error) {
	t.Helper()
	conn, err := rpc.Dial(addresses...)
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := conn.Close(); err != nil {
			t.Error(err)
		}
	}()
	var res platformpb.AuditResponse
	err = rpc.Invoke(ctx, conn, module, "/kerf.platform.v1.PlatformService/Audit", &platformpb.AuditRequest{}, &res)
	return res.GetModule(), err
}

func TestModulesOfOneProcessAnswerForThemselves(t *testing.T) {
	address := serve(t, rpc.ServerConfig{}, audited{name: "kitchen"}, audited{name: "delivery"})
	for _, module := range []string{"kitchen", "delivery"} {
		if got, err := audit(t.Context(), t, module, address); err != nil || got != module {
			t.Errorf("%s answered %q, %v", module, got, err)
		}
	}
	for _, module := range []string{"orders", ""} {
		if _, err := audit(t.Context(), t, module, address); fault.As(err).Code != "not_served" || fault.Definite(err) {
			t.Errorf("module %q, which is elsewhere, ended with %v", module, err)
		}
	}
}

func TestAClientThatKnowsNoModulesReachesTheOnlyOne(t *testing.T) {
	address := serve(t, rpc.ServerConfig{}, audited{name: "kitchen"})
	if got, err := audit(t.Context(), t, "", address); err != nil || got != "kitchen" {
		t.Errorf("answered %q, %v", got, err)
	}
	if _, err := audit(t.Context(), t, "delivery", address); fault.KindOf(err) != fault.KindUnavailable {
		t.Errorf("delivery, which is not here, ended with %v", err)
	}
}

func TestReplicasShareTheCalls(t *testing.T) {
	first := serve(t, rpc.ServerConfig{}, audited{name: "kitchen", err: fault.Refused("first", "first")})
	second := serve(t, rpc.ServerConfig{}, audited{name: "kitchen", err: fault.Refused("second", "second")})
	conn, err := rpc.Dial(first, second)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	answered := map[string]int{}
	for answered["first"] == 0 || answered["second"] == 0 {
		err := rpc.Invoke(ctx, conn, "kitchen", "/kerf.platform.v1.PlatformService/Audit", &platformpb.AuditRequest{}, &platformpb.AuditResponse{})
		if fault.KindOf(err) != fault.KindRefused {
			t.Fatalf("answered: %v, then %v", answered, err)
		}
		answered[fault.As(err).Code]++
	}
}

func TestAModuleThatIsDownIsUnavailable(t *testing.T) {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := lis.Addr().String()
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	_, err = audit(t.Context(), t, "kitchen", address)
	if f := fault.As(err); f == nil || f.Kind != fault.KindUnavailable || f.Code != "unreachable" || fault.Definite(err) {
		t.Errorf("the call ended with %v", err)
	}
}

func TestAPrincipalIsBelievedFromTrustedPeersOnly(t *testing.T) {
	nobody := func(*peer.Peer) bool { return false }
	address := serve(t, rpc.ServerConfig{Trust: nobody}, audited{name: "kitchen"})
	if _, err := audit(t.Context(), t, "kitchen", address); err != nil {
		t.Errorf("a call on nobody's behalf ended with %v", err)
	}
	_, err := audit(identity.With(t.Context(), identity.Service("orders")), t, "kitchen", address)
	if f := fault.As(err); f == nil || f.Kind != fault.KindUnauthenticated || f.Code != "untrusted_peer" {
		t.Errorf("a call on behalf of orders ended with %v", err)
	}
}

func TestOnlyPeersOnThisMachineAreLoopback(t *testing.T) {
	for _, row := range []struct {
		address net.Addr
		want    bool
	}{
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, true},
		{&net.TCPAddr{IP: net.IPv6loopback}, true},
		{&net.UnixAddr{Name: "socket"}, true},
		{&net.TCPAddr{IP: net.IPv4(10, 0, 0, 7)}, false},
		{&net.TCPAddr{IP: net.IPv4zero}, false},
		{nil, false},
	} {
		if got := rpc.Loopback(&peer.Peer{Addr: row.address}); got != row.want {
			t.Errorf("Loopback(%v) = %v", row.address, got)
		}
	}
}

func TestACauseGoesToTheLogAndTheCallIsCounted(t *testing.T) {
	log, registry := &journal{}, prometheus.NewRegistry()
	address := serve(t, rpc.ServerConfig{Log: logTo(log), Registry: registry},
		audited{name: "kitchen", err: fault.Internal(errors.New("the stove is cold"), "stove")})
	_, err := audit(t.Context(), t, "kitchen", address)
	if f := fault.As(err); f.Code != "stove" || strings.Contains(err.Error(), "cold") {
		t.Errorf("the caller is told %v", err)
	}
	if got := log.String(); !strings.Contains(got, "the stove is cold") || !strings.Contains(got, "module=kitchen operation=Audit") {
		t.Errorf("the log holds %q", got)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	if len(families) != 1 || len(families[0].GetMetric()) != 1 || families[0].GetMetric()[0].GetHistogram().GetSampleCount() != 1 {
		t.Errorf("the metrics are %v", families)
	}
}
