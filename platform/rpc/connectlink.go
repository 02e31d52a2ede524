package rpc

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"

	"connectrpc.com/connect"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"

	"kerf/platform/fault"
)

// connectLink calls one address by the Connect protocol. Its connections are the transport's.
type connectLink struct {
	base    string
	codec   *codec
	web     *http.Client
	clients sync.Map // of *connect.Client[envelope, envelope], by path
}

func newConnectLink(address string, secured bool, c *codec, web *http.Transport) *connectLink {
	return &connectLink{base: scheme(secured) + "://" + address, codec: c, web: &http.Client{
		Transport: web,
		// A peer is no web site.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
}

func scheme(secured bool) string {
	if secured {
		return "https"
	}
	return "http"
}

func (l *connectLink) call(ctx context.Context, operation Operation, beside []string, req, res proto.Message) (*fault.Error, bool) {
	// Not left to Connect: where it cannot marshal a request, or may not send it, it sends an empty one.
	bytes, err := l.codec.marshal(req)
	if err != nil {
		return fault.Internal(err, "marshal"), false
	}
	if len(bytes) > maxMessageSize {
		return transportFault(codes.ResourceExhausted, nil), false
	}
	request := connect.NewRequest(&envelope{bytes: bytes})
	for i := 0; i < len(beside); i += 2 {
		request.Header().Set(beside[i], beside[i+1])
	}
	response, err := l.client(operation.Path).CallUnary(ctx, request)
	if err == nil {
		err = response.Msg.open(res)
	}
	return fromConnect(ctx, err)
}

func (l *connectLink) client(path string) *connect.Client[envelope, envelope] {
	if c, ok := l.clients.Load(path); ok {
		return c.(*connect.Client[envelope, envelope])
	}
	c, _ := l.clients.LoadOrStore(path, connect.NewClient[envelope, envelope](l.web, l.base+path,
		connect.WithCodec(l.codec),
		connect.WithAcceptCompression("gzip", nil, nil),
		connect.WithReadMaxBytes(maxMessageSize)))
	return c.(*connect.Client[envelope, envelope])
}

// state is always up: connections come and go with the calls.
func (l *connectLink) state() linkState { return linkUp }

func (l *connectLink) run(context.Context, func(linkState)) {}

func (l *connectLink) close() error { return nil }

// newWebTransport returns what carries HTTP/1.1 to all replicas of a module.
func newWebTransport(secured *TLS, module string) *http.Transport {
	dialer := net.Dialer{Timeout: connectTimeout, KeepAlive: keepaliveEvery}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	t := &http.Transport{
		DialContext:         dialer.DialContext,
		TLSHandshakeTimeout: connectTimeout,
		// As many as are ever in use: a connection that is not kept costs a handshake.
		MaxIdleConnsPerHost: 1024,
		IdleConnTimeout:     90 * time.Second, // less than servers wait
		DisableCompression:  true,
		Protocols:           &protocols,
	}
	if secured != nil {
		t.TLSClientConfig = secured.client(module, protocolHTTP1)
	}
	return t
}
