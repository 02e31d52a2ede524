package acceptance

import (
	"bytes"
	octets "encoding/binary"
	"errors"
	"io"
	"net"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// link is the way from some programs to another one: a proxy between them that passes bytes on, and can be made to fail as networks do.
type link struct {
	name string
	// to tells where the link leads at this moment.
	to func() (string, error)
	// redirects is for brokers that tell their clients where to connect: what they say of themselves is replaced by the link's own address.
	redirects bool

	listener net.Listener
	open     sync.WaitGroup
	passed   atomic.Int64 // connections

	mu    sync.Mutex
	conns map[*net.TCPConn]bool
	how   condition
}

// condition is how a link is.
type condition struct {
	// cut: connections are reset, new ones too.
	cut bool
	// stalled: connections stay, and nothing passes.
	stalled bool
	// late is how long everything takes.
	late time.Duration
	// changes is closed when the condition does.
	changes chan struct{}
}

// connect opens a link, which is closed when the test ends.
func connect(t *testing.T, name string, redirects bool, to func() (string, error)) *link {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := &link{name: name, to: to, redirects: redirects, listener: listener, conns: map[*net.TCPConn]bool{}, how: condition{changes: make(chan struct{})}}
	l.open.Go(l.accept)
	t.Cleanup(func() {
		_ = listener.Close()
		l.set(func(c *condition) { c.cut = true })
		l.open.Wait()
	})
	return l
}

func (l *link) address() string { return l.listener.Addr().String() }

// set changes the link's condition.
func (l *link) set(change func(*condition)) {
	l.mu.Lock()
	defer l.mu.Unlock()
	change(&l.how)
	close(l.how.changes)
	l.how.changes = make(chan struct{})
	if l.how.cut {
		for conn := range l.conns {
			reset(conn)
		}
	}
}

func (l *link) condition() condition {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.how
}

// reset ends a connection as a crash of its machine's would: whoever is at the other end gets an error, not an end.
func reset(conn *net.TCPConn) {
	_ = conn.SetLinger(0)
	_ = conn.Close()
}

func (l *link) accept() {
	for {
		conn, err := l.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		} else if err != nil {
			continue
		}
		l.open.Go(func() { l.serve(conn.(*net.TCPConn)) })
	}
}

// serve passes one connection on.
func (l *link) serve(client *net.TCPConn) {
	if !l.keep(client) {
		reset(client)
		return
	}
	defer l.drop(client)
	to, err := l.to()
	if err != nil {
		reset(client)
		return
	}
	conn, err := net.DialTimeout("tcp", to, 2*time.Second)
	if err != nil {
		reset(client) // refused, as nearly as a proxy can
		return
	}
	server := conn.(*net.TCPConn)
	if !l.keep(server) {
		reset(server)
		return
	}
	defer l.drop(server)
	l.passed.Add(1)
	var copying sync.WaitGroup
	copying.Go(func() { l.pass(server, client, client) })
	if l.redirects {
		l.pass(client, &redirected{from: server, old: announced(to), new: announced(l.address())}, server)
	} else {
		l.pass(client, server, server)
	}
	copying.Wait()
}

// keep remembers a connection, unless the link is cut.
func (l *link) keep(conn *net.TCPConn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.how.cut {
		l.conns[conn] = true
	}
	return !l.how.cut
}

func (l *link) drop(conn *net.TCPConn) {
	l.mu.Lock()
	delete(l.conns, conn)
	l.mu.Unlock()
	_ = conn.Close()
}

// pass copies what is said in one direction, as late as the link is, and then its end. What breaks off at one side breaks off at the other.
func (l *link) pass(to *net.TCPConn, said io.Reader, from *net.TCPConn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := said.Read(buffer)
		if n > 0 {
			l.hold()
			if _, failed := to.Write(buffer[:n]); failed != nil {
				reset(from)
				return
			}
		}
		switch {
		case errors.Is(err, io.EOF):
			_ = to.CloseWrite()
			return
		case err != nil:
			reset(to)
			return
		}
	}
}

// hold waits for as long as the link makes everything wait.
func (l *link) hold() {
	for {
		how := l.condition()
		switch {
		case how.cut:
			return
		case how.stalled:
			<-how.changes
		case how.late > 0:
			timer := time.NewTimer(how.late)
			defer timer.Stop()
			<-timer.C
			return
		default:
			return
		}
	}
}

// announced is an address as Kafka's protocol names a broker's: the host's text, then the port in four bytes.
func announced(address string) []byte {
	host, text, _ := net.SplitHostPort(address)
	port, _ := strconv.ParseUint(text, 10, 16)
	return octets.BigEndian.AppendUint32([]byte(host), uint32(port))
}

// redirected reads the answers of one of Kafka's brokers, each of which says how long it is, with one address in them replaced by another
// of the same length.
type redirected struct {
	from     io.Reader
	old, new []byte
	rest     []byte
}

func (r *redirected) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		answer := make([]byte, 4)
		if _, err := io.ReadFull(r.from, answer); err != nil {
			return 0, err // io.EOF between two answers
		}
		answer = append(answer, make([]byte, octets.BigEndian.Uint32(answer))...)
		if _, err := io.ReadFull(r.from, answer[4:]); err != nil {
			return 0, err
		}
		r.rest = bytes.ReplaceAll(answer, r.old, r.new)
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}
