package rpc

import (
	"context"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/connectivity"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"kerf/platform/fault"
)

const (
	// keepaliveEvery and keepaliveWait tell how soon a peer that is silent is found out, though nothing is asked of it.
	keepaliveEvery = 10 * time.Second
	keepaliveWait  = 5 * time.Second
	// connectTimeout is how long a peer may take to accept a connection, handshakes included.
	connectTimeout = 2 * time.Second
)

// grpcLink is a connection of grpc-go to one address.
type grpcLink struct{ conn *grpc.ClientConn }

func newGRPCLink(address string, secured *TLS, module string) (*grpcLink, error) {
	creds := insecure.NewCredentials()
	if secured != nil {
		creds = credentials.NewTLS(secured.client(module, protocolHTTP2))
	}
	conn, err := grpc.NewClient("passthrough:///"+address,
		grpc.WithTransportCredentials(creds),
		grpc.WithNoProxy(),
		grpc.WithDisableServiceConfig(),
		grpc.WithIdleTimeout(0),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageSize), grpc.MaxCallSendMsgSize(maxMessageSize)),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: keepaliveEvery, Timeout: keepaliveWait, PermitWithoutStream: true}),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: time.Second},
			MinConnectTimeout: connectTimeout,
		}),
	)
	if err != nil {
		return nil, fmt.Errorf("connect to %s: %w", address, err)
	}
	return &grpcLink{conn: conn}, nil
}

func (l *grpcLink) call(ctx context.Context, operation Operation, beside []string, req, res proto.Message) (*fault.Error, bool) {
	return fromStatus(l.conn.Invoke(metadata.AppendToOutgoingContext(ctx, beside...), operation.Path, req, res))
}

func (l *grpcLink) state() linkState { return linkStateOf(l.conn.GetState()) }

func linkStateOf(state connectivity.State) linkState {
	switch state {
	case connectivity.Ready:
		return linkUp
	case connectivity.Idle, connectivity.Connecting:
		return linkPending
	}
	return linkDown
}

// run connects, and again whenever the connection was lost: grpc-go by itself would wait for a call.
func (l *grpcLink) run(ctx context.Context, changed func(linkState)) {
	for {
		state := l.conn.GetState()
		changed(linkStateOf(state))
		if state == connectivity.Idle {
			l.conn.Connect()
		}
		if !l.conn.WaitForStateChange(ctx, state) {
			return
		}
	}
}

func (l *grpcLink) close() error { return l.conn.Close() }
