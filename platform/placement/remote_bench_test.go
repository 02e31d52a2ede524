package placement_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"net/http"
	"runtime/debug"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/platform/database"
	"kerf/platform/placement"
	"kerf/platform/platformpb"
	"kerf/platform/rpc"
	"kerf/platform/rpc/localca"
)

// readLogCall is how a benchmark makes a call.
type readLogCall func(context.Context, *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error)

// BenchmarkRemoteCall makes the same call over grpc-go alone, and over remote seams with metrics and policies, in turns, each by 16 callers
// at the same time. It reports the calls per second of each way, the CPU of both ends per call, and the ratio of calls per second to
// grpc-go alone, without TLS and with mutual TLS. The aim is a ratio of 0.8 for grpc.
func BenchmarkRemoteCall(b *testing.B) {
	defer debug.SetGCPercent(debug.SetGCPercent(200)) // as in every process of ours
	ca, err := localca.New()
	if err != nil {
		b.Fatal(err)
	}
	subjects := []*subject{
		{name: "bare", call: bare(b, nil)},
		{name: "grpc", call: remote(b, rpc.GRPC, nil)},
		{name: "connect", call: remote(b, rpc.Connect, nil)},
		{name: "json", call: remote(b, rpc.JSON, nil)},
		{name: "bare-mtls", call: bare(b, ca)},
		{name: "grpc-mtls", call: remote(b, rpc.GRPC, ca)},
		{name: "connect-mtls", call: remote(b, rpc.Connect, ca)},
	}
	for _, s := range subjects {
		s.turn(b) // connections, buffers
		s.took, s.cpu, s.calls = 0, 0, 0
	}
	for b.Loop() {
		for _, s := range subjects {
			s.turn(b)
		}
	}
	for _, s := range subjects {
		b.ReportMetric(s.rate(), s.name+"/s")
		b.ReportMetric(float64(s.cpu.Microseconds())/float64(s.calls), s.name+"-cpu-µs")
	}
	for _, s := range subjects[1:4] {
		b.ReportMetric(s.rate()/subjects[0].rate(), s.name+"-ratio")
	}
	for _, s := range subjects[5:] {
		b.ReportMetric(s.rate()/subjects[4].rate(), s.name+"-ratio")
	}
	b.ReportMetric(subjects[5].rate()/subjects[0].rate(), "grpc-mtls-to-bare-plain-ratio")
	b.ReportMetric(0, "ns/op") // of a turn, which says nothing
}

// subject is one way to make calls.
type subject struct {
	name  string
	call  readLogCall
	calls int
	took  time.Duration
	cpu   time.Duration // of client and server together
}

func (s *subject) rate() float64 { return float64(s.calls) / s.took.Seconds() }

const callers, callsPerTurn = 16, 4000

func (s *subject) turn(b *testing.B) {
	start, busy := time.Now(), cpuTime(b)
	var running sync.WaitGroup
	for range callers {
		ctx := callerContext(b)
		running.Go(func() {
			for range callsPerTurn / callers {
				if _, err := s.call(ctx, &platformpb.ReadLogRequest{Limit: 1}); err != nil {
					b.Error(s.name, err)
					return
				}
			}
		})
	}
	running.Wait()
	s.took += time.Since(start)
	s.cpu += cpuTime(b) - busy
	s.calls += callsPerTurn
}

// cpuTime returns how long this process has been busy.
func cpuTime(b *testing.B) time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		b.Fatal(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// entries is an owner that answers with an event.
type entries struct{ platformpb.PlatformService }

func (entries) ReadLog(context.Context, *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
	return logged, nil
}

var logged = &platformpb.ReadLogResponse{Entries: []*platformpb.LogEntry{{
	Position: 4711, Id: "0192f0c1-7d3a-7b2e-9c4d-5e6f708192a3", Type: "kerf.kitchen.TicketAccepted", Subject: "0192f0c1-7d3a-7b2e-9c4d-5e6f708192a3",
	Sequence: 3, Time: timestamppb.New(time.Unix(1_800_000_000, 0)), Data: make([]byte, 120),
}}}

// bare is grpc-go by itself, with its default settings; of TLS it has mutual TLS if there is an authority.
func bare(b *testing.B, ca *localca.CA) readLogCall {
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	serverCreds, clientCreds := insecure.NewCredentials(), insecure.NewCredentials()
	if ca != nil {
		serverCreds, clientCreds = bareCredentials(b, ca), bareCredentials(b, ca)
	}
	server := grpc.NewServer(grpc.Creds(serverCreds))
	const path = "/kerf.platform.v1.PlatformService/ReadLog"
	server.RegisterService(&grpc.ServiceDesc{ServiceName: "kerf.platform.v1.PlatformService", HandlerType: (*platformpb.PlatformService)(nil), Methods: []grpc.MethodDesc{{
		MethodName: "ReadLog",
		Handler: func(srv any, ctx context.Context, decode func(any) error, _ grpc.UnaryServerInterceptor) (any, error) {
			req := new(platformpb.ReadLogRequest)
			if err := decode(req); err != nil {
				return nil, err
			}
			return srv.(entries).ReadLog(ctx, req)
		},
	}}}, entries{})
	go func() { _ = server.Serve(lis) }()
	conn, err := grpc.NewClient(lis.Addr().String(), grpc.WithTransportCredentials(clientCreds))
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		_ = conn.Close()
		server.Stop()
	})
	return func(_ context.Context, req *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
		res := new(platformpb.ReadLogResponse)
		return res, conn.Invoke(context.Background(), path, req, res)
	}
}

func bareCredentials(b *testing.B, ca *localca.CA) credentials.TransportCredentials {
	b.Helper()
	cert, key, err := ca.Issue(localca.Leaf{Modules: []string{"kitchen"}, Hosts: []string{"127.0.0.1"}})
	if err != nil {
		b.Fatal(err)
	}
	pair, err := tls.X509KeyPair(cert, key)
	if err != nil {
		b.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM())
	return credentials.NewTLS(&tls.Config{
		Certificates: []tls.Certificate{pair}, RootCAs: roots, ClientCAs: roots, ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS13,
	})
}

// remote is what Kerf makes of it: a seam with metrics, a client with all its policies, an internal port with metrics.
func remote(b *testing.B, protocol rpc.Protocol, ca *localca.CA) readLogCall {
	var serverTLS, clientTLS *rpc.TLS
	if ca != nil {
		serverTLS, clientTLS = certified(b, ca, "kitchen"), certified(b, ca, "orders")
	}
	lis, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	server := rpc.NewServer(rpc.ServerConfig{
		Log: quiet, Registry: registry, SpeaksForUsers: []string{"orders"}, Allow: func([]string, string, string) bool { return true },
	})
	platformpb.RegisterPlatformService(server.For("kitchen"), entries{})
	port := rpc.Internal{Listener: lis, Server: server, HTTP: http.NotFoundHandler(), TLS: serverTLS, Grace: time.Second, Log: quiet}
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- port.Run(ctx) }()
	client, err := rpc.NewClient(rpc.ClientConfig{
		Module: "kitchen", Addresses: []string{lis.Addr().String()}, Protocol: protocol, TLS: clientTLS, Log: quiet, Registry: registry,
	})
	if err != nil {
		b.Fatal(err)
	}
	seams, err := placement.New(placement.Config{
		Mode: placement.Local, Log: quiet, Registry: registry, InTransaction: database.InTransaction,
		Remotes: map[string]*rpc.Client{"kitchen": client},
	})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := seams.Close(); err != nil {
			b.Error(err)
		}
		if err := client.Close(); err != nil {
			b.Error(err)
		}
		cancel()
		if err := <-served; err != nil {
			b.Error(fmt.Errorf("%s: %w", protocol, err))
		}
	})
	return platformpb.PlacePlatformService(seams.To("kitchen"), nil).ReadLog
}
