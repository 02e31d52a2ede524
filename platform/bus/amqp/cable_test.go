package amqp_test

import (
	"crypto/tls"
	"io"
	"net"
	"net/url"
	"sync"
	"testing"
)

// cable is what lies between a bus and the broker. It can be cut, and it can swallow what goes through it, as a broker does that hangs.
type cable struct {
	target   string
	listener net.Listener

	mu    sync.Mutex
	open  map[net.Conn]struct{}
	cut   bool
	mute  chan struct{} // closed when bytes flow
	ended sync.WaitGroup
}

// newCable returns a cable to the broker, and the URL of its near end. With tlsConfig the near end speaks TLS.
func newCable(t *testing.T, tlsConfig *tls.Config) (*cable, string) {
	t.Helper()
	far, err := url.Parse(broker(t))
	if err != nil {
		t.Fatal(err)
	}
	c := &cable{target: far.Host, open: map[net.Conn]struct{}{}, mute: make(chan struct{})}
	close(c.mute)
	if c.listener, err = net.Listen("tcp", "127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	near := *far
	near.Host = c.listener.Addr().String()
	if tlsConfig != nil {
		c.listener = tls.NewListener(c.listener, tlsConfig)
		near.Scheme = "amqps"
	}
	c.ended.Go(c.accept)
	t.Cleanup(func() {
		c.listener.Close()
		c.Cut()
		c.ended.Wait()
	})
	return c, near.String()
}

func (c *cable) accept() {
	for {
		near, err := c.listener.Accept()
		if err != nil {
			return
		}
		far, err := net.Dial("tcp", c.target)
		if err != nil {
			near.Close()
			continue
		}
		if !c.add(near, far) {
			near.Close()
			far.Close()
			continue
		}
		c.ended.Go(func() { c.carry(near, far) })
		c.ended.Go(func() { c.carry(far, near) })
	}
}

func (c *cable) add(ends ...net.Conn) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, end := range ends {
		c.open[end] = struct{}{}
	}
	return !c.cut
}

func (c *cable) carry(to io.WriteCloser, from io.ReadCloser) {
	defer to.Close()
	defer from.Close()
	buf := make([]byte, 1<<16)
	for {
		n, err := from.Read(buf)
		if err != nil {
			return
		}
		c.mu.Lock()
		mute := c.mute
		c.mu.Unlock()
		<-mute
		if _, err := to.Write(buf[:n]); err != nil {
			return
		}
	}
}

// Cut ends all connections, and refuses new ones until Mend.
func (c *cable) Cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for end := range c.open {
		end.Close()
		delete(c.open, end)
	}
	c.unmute()
}

// Freeze carries nothing more until Mend, and keeps the connections.
func (c *cable) Freeze() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.mute = make(chan struct{})
}

// Mend lets new connections through, and bytes.
func (c *cable) Mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = false
	c.unmute()
}

func (c *cable) unmute() {
	select {
	case <-c.mute:
	default:
		close(c.mute)
	}
}
