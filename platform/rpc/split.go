package rpc

import (
	"context"
	"errors"
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

// split returns two listeners that share the connections of lis by protocol. Closing either closes lis, and so ends both. There
// are libraries for this; only one question is ever asked here, so these few lines do.
func split(lis net.Listener) (http2, http1 net.Listener) {
	ctx, cancel := context.WithCancel(context.Background())
	s := &splitter{Listener: lis, closed: ctx, end: cancel}
	two, one := &share{splitter: s, conns: make(chan net.Conn)}, &share{splitter: s, conns: make(chan net.Conn)}
	s.running.Go(func() { s.accept(two, one) })
	return two, one
}

type splitter struct {
	net.Listener
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

// sort reads as much of a connection as tells the protocols apart, and hands it on with that still to read.
func (s *splitter) sort(conn net.Conn, http2, http1 *share) {
	stop := context.AfterFunc(s.closed, func() { _ = conn.Close() })
	_ = conn.SetReadDeadline(time.Now().Add(headerTimeout))
	read := make([]byte, 0, len(preface))
	to := http2
	for len(read) < len(preface) {
		n, err := conn.Read(read[len(read):cap(read)])
		read = read[:len(read)+n]
		if string(read) != preface[:len(read)] {
			to = http1
			break
		}
		if err != nil {
			stop()
			_ = conn.Close()
			return
		}
	}
	if !stop() {
		return // closed already
	}
	_ = conn.SetReadDeadline(time.Time{})
	select {
	case to.conns <- &peeked{Conn: conn, read: read}:
	case <-s.closed.Done():
		_ = conn.Close()
	}
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
