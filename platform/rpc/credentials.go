package rpc

import (
	"context"
	"errors"
	"net"

	"google.golang.org/grpc/credentials"
)

// handshaken are the credentials of a server whose connections come from a listener that has made the handshake itself, since only
// after it is known whether they speak HTTP/2: all that is left is to tell who is there.
type handshaken struct{}

func (handshaken) ServerHandshake(conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return conn, callerAt(conn), nil
}

func (handshaken) ClientHandshake(context.Context, string, net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return nil, nil, errors.New("these credentials are a server's")
}

func (handshaken) Info() credentials.ProtocolInfo {
	return credentials.ProtocolInfo{SecurityProtocol: "handshaken"}
}

func (handshaken) Clone() credentials.TransportCredentials { return handshaken{} }

// OverrideServerName is of no use to a server.
func (handshaken) OverrideServerName(string) error { return nil }
