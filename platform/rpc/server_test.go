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
	"kerf/platform/fault"
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
func serve(t testing.TB, config rpc.ServerConfig, modules ...audited) string {
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

func run(t testing.TB, port rpc.Internal) string {
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

const auditPath = "/kerf.platform.v1.PlatformService/Audit"

var audit = rpc.Operation{Path: auditPath}

// client returns a client of a module, whose policy makes one attempt unless the configuration says otherwise.
func client(t testing.TB, config rpc.ClientConfig) *rpc.Client {
	t.Helper()
	if config.Log == nil {
		config.Log = logTo(&journal{})
	}
	if config.Policy.Attempts == 0 {
		config.Policy.Attempts = 1
	}
	c, err := rpc.NewClient(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

// ask asks a module for its name.
func ask(ctx context.Context, c *rpc.Client) (string, error) {
	var res platformpb.AuditResponse
	err := c.Call(ctx, audit, &platformpb.AuditRequest{}, &res)
	return res.GetModule(), err
}

// askAt asks a module at addresses for its name.
func askAt(ctx context.Context, t *testing.T, module string, addresses ...string) (string, error) {
	t.Helper()
	return ask(ctx, client(t, rpc.ClientConfig{Module: module, Addresses: addresses}))
}

func TestModulesOfOneProcessAnswerForThemselves(t *testing.T) {
	address := serve(t, rpc.ServerConfig{}, audited{name: "kitchen"}, audited{name: "delivery"})
	for _, module := range []string{"kitchen", "delivery"} {
		if got, err := askAt(t.Context(), t, module, address); err != nil || got != module {
			t.Errorf("%s answered %q, %v", module, got, err)
		}
	}
	for _, module := range []string{"orders", ""} {
		if _, err := askAt(t.Context(), t, module, address); fault.As(err).Code != "not_served" || fault.Definite(err) {
			t.Errorf("module %q, which is elsewhere, ended with %v", module, err)
		}
	}
}

func TestAClientThatKnowsNoModulesReachesTheOnlyOne(t *testing.T) {
	address := serve(t, rpc.ServerConfig{}, audited{name: "kitchen"})
	if got, err := askAt(t.Context(), t, "", address); err != nil || got != "kitchen" {
		t.Errorf("answered %q, %v", got, err)
	}
	if _, err := askAt(t.Context(), t, "delivery", address); fault.KindOf(err) != fault.KindUnavailable {
		t.Errorf("delivery, which is not here, ended with %v", err)
	}
}

func TestAModuleThatIsDownIsUnavailable(t *testing.T) {
	for _, protocol := range protocols {
		t.Run(string(protocol), func(t *testing.T) {
			c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{nowhere(t)}, Protocol: protocol})
			_, err := ask(t.Context(), c)
			if f := fault.As(err); f == nil || f.Kind != fault.KindUnavailable || f.Code != "unreachable" || f.RetryAfter == 0 || fault.Definite(err) {
				t.Errorf("the call ended with %v", err)
			}
		})
	}
}

var protocols = []rpc.Protocol{rpc.GRPC, rpc.Connect, rpc.JSON}

// nowhere returns an address at which nobody listens.
func nowhere(t *testing.T) string {
	t.Helper()
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if err := lis.Close(); err != nil {
		t.Fatal(err)
	}
	return lis.Addr().String()
}

func TestACauseGoesToTheLogAndTheCallIsCounted(t *testing.T) {
	log, registry := &journal{}, prometheus.NewRegistry()
	address := serve(t, rpc.ServerConfig{Log: logTo(log), Registry: registry},
		audited{name: "kitchen", err: fault.Internal(errors.New("the stove is cold"), "stove")})
	_, err := askAt(t.Context(), t, "kitchen", address)
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
