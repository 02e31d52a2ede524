package whole

import (
	"bufio"
	"bytes"
	"net/http"
	"sync"
	"testing"
	"time"
)

// live follows all orders by one stream, and tells who waits for an order that it has come to a status.
type live struct {
	client *client
	ended  sync.WaitGroup

	mu      sync.Mutex
	seen    map[mark]bool // statuses that came before anybody waited for them
	waiting map[mark]chan struct{}
}

type mark struct{ order, status string }

func follow(b testing.TB, addr, admin string) *live {
	b.Helper()
	l := &live{client: dial(b, addr), seen: map[mark]bool{}, waiting: map[mark]chan struct{}{}}
	if err := l.client.send(http.MethodGet, "/v1/tracking/events", admin, nil); err != nil {
		b.Fatal(err)
	}
	answer, err := http.ReadResponse(l.client.in, nil)
	if err != nil || answer.StatusCode != http.StatusOK {
		b.Fatalf("no live stream: %v %v", answer, err)
	}
	l.ended.Go(func() { l.read(bufio.NewReaderSize(answer.Body, 64<<10)) })
	b.Cleanup(l.stop)
	return l
}

func (l *live) stop() {
	l.client.close()
	l.ended.Wait()
}

// read looks at each view with as little effort as it can: the load must not take the processor from the server.
func (l *live) read(in *bufio.Reader) {
	for {
		line, err := in.ReadSlice('\n')
		if err == bufio.ErrBufferFull {
			continue
		}
		if err != nil {
			return
		}
		order, status := field(line, `"order_id":"`), field(line, `"status":"`)
		if !bytes.HasPrefix(line, []byte("data:")) || order == "" || status == "" {
			continue
		}
		l.note(mark{order, status})
	}
}

func field(line []byte, name string) string {
	_, rest, ok := bytes.Cut(line, []byte(name))
	if !ok {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

func (l *live) note(m mark) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if waiter := l.waiting[m]; waiter != nil {
		delete(l.waiting, m)
		close(waiter)
		return
	}
	l.seen[m] = true
}

// patience is how long an order may take to its next status before the benchmark gives up.
const patience = 30 * time.Second

// await returns when the order has come to the status, as seen by the stream; false if it does not.
func (l *live) await(order, status string) bool { return l.awaitUnless(order, status, nil) }

// awaitUnless is await until given closes, and then false.
func (l *live) awaitUnless(order, status string, given <-chan struct{}) bool {
	m := mark{order, status}
	l.mu.Lock()
	if l.seen[m] {
		delete(l.seen, m)
		l.mu.Unlock()
		return true
	}
	reached := make(chan struct{})
	l.waiting[m] = reached
	l.mu.Unlock()
	timer := time.NewTimer(patience)
	defer timer.Stop()
	select {
	case <-reached:
		return true
	case <-given:
		return false
	case <-timer.C:
		l.client.b.Errorf("order %s is not %s after %s", order, status, patience)
		return false
	}
}
