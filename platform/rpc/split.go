package rpc

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"log/slog"
	"net"
	"sync"
	"time"
)

const (
	// preface is what every HTTP/2 connection begins with (RFC 9113, 3.4). No HTTP/1.1 request does.
	preface = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"
	// headerTimeout ends a connection that says nothing.
	headerTimeout = 10 * time.Second
)

// split returns two listeners that share the connections of lis by protocol: by the first bytes, or with TLS by what the handshake has
// agreed on, which is over when a connection is handed on. Closing either listener closes lis, and so ends both. There are libraries
// for this; only one question is ever asked here, so these few lines do.
func split(lis net.Listener, secured *TLS, log *slog.Logger) (http2, http1 net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &splitter{Listener: lis, log: log, closed: ctx, end: cancel}
	if secured != nil {
		s.tls = secured.server()
	}
	two, one := &share{splitter: s, conns: make(chan net.Conn)}, &share{splitter: s, conns: make(chan net.Conn)}
	s.running.Go(func() { s.accept(two, one) })
	return two, one
}

type splitter struct {
	net.Listener
	tls     *tls.Config // nil without TLS
	log     *slog.Logger
	closed  context.Context // done once the listeners are closed; no request's context
	end     context.CancelFunc
	running sync.WaitGroup
}

// Close closes the listener and the connections that are not sorted yet.
func (s *splitter) Close() error {
	s.end()
	err := s.Listener.Close()
	s.running.Wait()
	return err
}

func (s *splitter) accept(http2, http1 *share) {
	for delay := time.Millisecond; ; {
		conn, err := s.Listener.Accept()
		switch {
		case err == nil:
			delay = time.Millisecond
			s.running.Go(func() { s.sort(conn, http2, http1) })
		case errors.Is(err, net.ErrClosed):
			s.end()
			return
		default:
			// No more file descriptors, or a client that went before it was accepted: both pass.
			select {
			case <-s.closed.Done():
				return
			case <-time.After(delay):
				delay = min(2*delay, time.Second)
			}
		}
	}
}

// sort hands a connection on once it is known what it speaks.
func (s *splitter) sort(conn net.Conn, http2, http1 *share) {
	stop := context.AfterFunc(s.closed, func() { _ = conn.Close() })
	_ = conn.SetDeadline(time.Now().Add(headerTimeout))
	ask := peek
	if s.tls != nil {
		ask = s.handshake
	}
	sorted, isHTTP2 := ask(conn)
	if !stop() {
		return // closed already
	}
	if sorted == nil {
		_ = conn.Close()
		return
	}
	_ = conn.SetDeadline(time.Time{})
	to := http1
	if isHTTP2 {
		to = http2
	}
	select {
	case to.conns <- sorted:
	case <-s.closed.Done():
		_ = conn.Close()
	}
}

// handshake returns the connection as it is after its handshake, and nil if that has failed.
func (s *splitter) handshake(conn net.Conn) (sorted net.Conn, isHTTP2 bool) {
	secured := tls.Server(conn, s.tls)
	if err := secured.HandshakeContext(s.closed); err != nil {
		if s.closed.Err() == nil && !errors.Is(err, io.EOF) {
			s.log.Warn("a handshake failed on the internal port", "peer", conn.RemoteAddr().String(), "error", err)
		}
		return nil, false
	}
	return secured, secured.ConnectionState().NegotiatedProtocol == protocolHTTP2
}

// peek reads as much of a connection as tells the protocols apart, and returns it with that still to read; nil if it has ended.
func peek(conn net.Conn) (sorted net.Conn, isHTTP2 bool) {
	read := make([]byte, 0, len(preface))
	for len(read) < len(preface) {
		n, err := conn.Read(read[len(read):cap(read)])
		read = read[:len(read)+n]
		if string(read) != preface[:len(read)] {
			return &peeked{Conn: conn, read: read}, false
		}
		if err != nil {
			return nil, false
		}
	}
	return &peeked{Conn: conn, read: read}, true
}

// share is the listener of one protocol.
type share struct {
	*splitter
	conns chan net.Conn
}

func (s *share) Accept() (net.Conn, error) {
	select {
	case conn := <-s.conns:
		return conn, nil
	case <-s.closed.Done():
		return nil, net.ErrClosed
	}
}

// peeked is a connection of which the beginning has been read.
type peeked struct {
	net.Conn
	read []byte
}

func (c *peeked) Read(b []byte) (int, error) {
	if len(c.read) == 0 {
		return c.Conn.Read(b)
	}
	n := copy(b, c.read)
	c.read = c.read[n:]
	return n, nil
}
