package town

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strconv"
	"sync"
	"time"

	"github.com/valyala/fasthttp"

	"kerf/benchmarks/load"
)

// lines are the connections to the server: one for each worker of a load, kept alive, so that no request waits for another's connection and the
// number of connections is that of the requests at a time.
type lines struct {
	host, scheme string
	tls          *tls.Config

	mu  sync.RWMutex
	all []*fasthttp.HostClient
}

func newLines(target string, config *tls.Config) *lines {
	address, err := url.Parse(target)
	if err != nil { // it was parsed before
		address = &url.URL{Host: target}
	}
	return &lines{host: address.Host, scheme: address.Scheme, tls: config}
}

// of is the connection of a worker.
func (l *lines) of(worker int) *fasthttp.HostClient {
	l.mu.RLock()
	if worker < len(l.all) {
		defer l.mu.RUnlock()
		return l.all[worker]
	}
	l.mu.RUnlock()
	l.mu.Lock()
	defer l.mu.Unlock()
	for len(l.all) <= worker {
		l.all = append(l.all, &fasthttp.HostClient{
			Addr: l.host, IsTLS: l.scheme == "https", TLSConfig: l.tls, DialDualStack: true, NoDefaultUserAgentHeader: true,
			// One is in use at a time. Loads that overlap, such as couriers who still look while the next load begins, count their workers anew.
			MaxConns: 2 * atOnce, MaxConnWaitTimeout: time.Second, ReadBufferSize: 16 << 10,
			// Shorter than servers keep idle connections, so that none breaks at the moment of its use.
			MaxIdleConnDuration: 30 * time.Second, MaxIdemponentCallAttempts: 2, RetryIfErr: stale, DisablePathNormalizing: true,
		})
	}
	return l.all[worker]
}

// stale lets a request be sent once more when the server had closed the kept connection before it came. That is no failure of the server, and the
// Idempotency-Key makes it safe.
func stale(_ *fasthttp.Request, attempts int, err error) (resetTimeout, retry bool) {
	return false, attempts == 1 && errors.Is(err, io.EOF)
}

func (l *lines) close() {
	l.mu.RLock()
	defer l.mu.RUnlock()
	for _, line := range l.all {
		line.CloseIdleConnections()
	}
}

// request is what is asked.
type request struct {
	method, path, bearer string
	key                  []byte // of a mutation
	known                string // the version that the caller has
	body                 []byte
}

// Refusal is an answer that is not a success.
type Refusal struct {
	Status int
	Code   string // why, in a stable word
}

func (r *Refusal) Error() string { return fmt.Sprintf("%d %s", r.Status, r.Code) }

// Kind is what the refusal is counted as.
func (r *Refusal) Kind() string {
	if r.Status >= 500 || r.Code == "" {
		return strconv.Itoa(r.Status)
	}
	return strconv.Itoa(r.Status) + " " + r.Code
}

// broken is a connection that did not carry a request.
type broken struct {
	error
	kind string
}

func (b broken) Kind() string { return b.kind }

func (b broken) Unwrap() error { return b.error }

// answer is what came back. It is valid until exchange returns.
type answer struct {
	status int
	body   []byte
	etag   []byte
}

// exchange sends a request by the connection of a worker and has its answer read, unless read is nil. The error is a *Refusal for an answer that is
// neither 2xx nor 304, that of read, or one of the connection.
func (l *lines) exchange(ctx context.Context, worker int, r request, read func(answer) error) error {
	deadline, ok := ctx.Deadline()
	if !ok {
		deadline = time.Now().Add(load.DefaultDeadline)
	}
	req, res := fasthttp.AcquireRequest(), fasthttp.AcquireResponse()
	defer fasthttp.ReleaseRequest(req)
	defer fasthttp.ReleaseResponse(res)
	req.Header.SetMethod(r.method)
	req.SetRequestURI(r.path)
	req.URI().SetScheme(l.scheme)
	req.URI().SetHost(l.host)
	req.Header.Set("Authorization", r.bearer)
	if len(r.key) > 0 {
		req.Header.SetBytesV("Idempotency-Key", r.key)
		req.Header.SetContentType("application/json")
		req.SetBodyRaw(r.body)
	}
	if r.known != "" {
		req.Header.Set("If-None-Match", r.known)
	}
	switch err := l.of(worker).DoDeadline(req, res, deadline); {
	case errors.Is(err, fasthttp.ErrConnectionClosed):
		return broken{err, load.KindReset}
	case errors.Is(err, fasthttp.ErrDialTimeout):
		return broken{err, load.KindDeadline}
	case err != nil:
		return err
	}
	a := answer{status: res.StatusCode(), body: res.Body()}
	if a.status/100 != 2 && a.status != fasthttp.StatusNotModified {
		return &Refusal{a.status, text(a.body, `"code":"`)}
	}
	if read == nil {
		return nil
	}
	a.etag = res.Header.Peek("ETag")
	return read(a)
}

// text is the text that follows a mark in JSON, up to its quotation mark; "" if the mark is not there. Ids, states, codes and PINs hold nothing that is
// escaped.
func text(body []byte, mark string) string {
	_, rest, found := bytes.Cut(body, []byte(mark))
	if !found {
		return ""
	}
	value, _, _ := bytes.Cut(rest, []byte(`"`))
	return string(value)
}

// after is what follows a mark in JSON; nil if the mark is not there.
func after(body []byte, mark string) []byte {
	_, rest, found := bytes.Cut(body, []byte(mark))
	if !found {
		return nil
	}
	return rest
}

// number is the whole number that follows the last mark in JSON; 0 if there is none.
func number(body []byte, mark string) int64 {
	at := bytes.LastIndex(body, []byte(mark))
	if at < 0 {
		return 0
	}
	return digits(body[at+len(mark):])
}

// digits is the number that a text begins with.
func digits(text []byte) (n int64) {
	for _, digit := range text {
		if digit < '0' || digit > '9' {
			break
		}
		n = 10*n + int64(digit-'0')
	}
	return n
}
