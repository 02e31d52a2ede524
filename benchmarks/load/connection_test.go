package load

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"testing"
	"time"
)

// kind is an error of a client's.
type kind string

func (k kind) Error() string { return "status " + string(k) }
func (k kind) Kind() string  { return string(k) }

func TestErrorsAreCountedByWhatBecameOfTheConnection(t *testing.T) {
	closing := listen(t, func(c net.Conn) {
		_ = c.(*net.TCPConn).SetLinger(0) // closing it then resets it
	})
	silent := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	gone := listen(t, nil)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	defer server.Close()

	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	get := func(url string) func(context.Context, int) error {
		return func(ctx context.Context, _ int) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
			if err != nil {
				return err
			}
			response, err := client.Do(request)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			if response.StatusCode >= 400 {
				return kind(fmt.Sprint(response.StatusCode))
			}
			return nil
		}
	}
	r := counting()
	caller := NewCaller(r, 1, 200*time.Millisecond)
	for op, url := range map[string]string{"closing": closing, "silent": silent, "gone": gone, "failing": server.URL} {
		if _, err := caller.Do(t.Context(), op, time.Now(), get(url)); err == nil {
			t.Errorf("%s: no error", op)
		}
	}
	cut, cancel := context.WithCancel(t.Context())
	cancel()
	_, _ = caller.Do(cut, "cut", time.Now(), get(server.URL))

	got := r.Snapshot().Errors
	for _, want := range []string{"closing: reset", "silent: deadline", "gone: refused", "failing: 503", "cut: cut"} {
		if got[want] != 1 {
			t.Errorf("%q is missing in %v", want, got)
		}
	}
	if len(got) != 5 {
		t.Errorf("errors are %v", got)
	}
}

// listen serves connections, or with nil refuses them; it tells its URL.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if serve == nil {
		listener.Close()
		return "http://" + listener.Addr().String()
	}
	t.Cleanup(func() { listener.Close() })
	go func() {
		for {
			c, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer c.Close()
				serve(c)
			}()
		}
	}()
	return "http://" + listener.Addr().String()
}

func TestKindsOfErrors(t *testing.T) {
	for want, err := range map[string]error{
		"409":        fmt.Errorf("place an order: %w", kind("409")),
		KindDeadline: fmt.Errorf("read: %w", os.ErrDeadlineExceeded),
		KindCut:      fmt.Errorf("read: %w", context.Canceled),
		KindOther:    errors.New("what is this"),
	} {
		if got := Kind(err); got != want {
			t.Errorf("%v is %q, want %q", err, got, want)
		}
	}
}
