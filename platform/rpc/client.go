package rpc

import (
	"context"
	"errors"
	"fmt"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/resolver"
	"google.golang.org/grpc/resolver/manual"
	"google.golang.org/protobuf/proto"
)

const (
	// longestCall ends a call whose caller has set no deadline: a peer that hangs must not hold a worker for ever.
	longestCall    = 30 * time.Second
	maxMessageSize = 16 << 20
)

// Dial returns a connection to the replicas of a module, each host:port; or one target of gRPC's, such as
// dns:///kitchen.kerf.svc:9090. It connects on the first call, and again after a failure, within five seconds of the peer's return.
func Dial(addresses ...string) (*grpc.ClientConn, error) {
	if len(addresses) == 0 {
		return nil, errors.New("dial: no address")
	}
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxMessageSize)),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 1.6, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: 2 * time.Second,
		}),
		grpc.WithDefaultServiceConfig(`{"loadBalancingConfig": [{"round_robin": {}}]}`),
		grpc.WithDisableServiceConfig(),
	}
	target := addresses[0]
	if len(addresses) > 1 {
		replicas := manual.NewBuilderWithScheme("replicas")
		var state resolver.State
		for _, address := range addresses {
			state.Addresses = append(state.Addresses, resolver.Address{Addr: address})
		}
		replicas.InitialState(state)
		options = append(options, grpc.WithResolvers(replicas))
		target = "replicas:///" + addresses[0]
	}
	conn, err := grpc.NewClient(target, options...)
	if err != nil {
		return nil, fmt.Errorf("dial %v: %w", addresses, err)
	}
	return conn, nil
}

// Invoke calls an operation of a module, named by its path such as /kerf.kitchen.v1.KitchenService/GetTicket, and fills res. An
// error is a *fault.Error. The caller's principal, cause and trace go along, and so does the deadline; a call without one gets
// 30 seconds.
func Invoke(ctx context.Context, conn grpc.ClientConnInterface, module, path string, req, res proto.Message) error {
	if _, ok := ctx.Deadline(); !ok {
		limited, cancel := context.WithTimeout(ctx, longestCall)
		defer cancel()
		ctx = limited
	}
	if err := conn.Invoke(outgoing(ctx, module), path, req, res); err != nil {
		return FromStatus(err)
	}
	return nil
}
