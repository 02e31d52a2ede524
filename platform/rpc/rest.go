package rpc

import (
	"context"
	"errors"
	"io"
	"math"
	"net/http"
	"net/http/httptrace"
	"sync/atomic"
	"time"

	"kerf/platform/fault"
)

// Transport returns what sends requests to the internal ports of the module's replicas, by which a proxy reaches the module's REST
// mounts: it puts the address of a replica in place of the request's. What was surely not sent, and a GET or HEAD to which no answer
// began, goes to another replica. There is no time limit but the request's context; bodies pass unbuffered, so that streams do. An
// error is a *fault.Error, unless the request's own body could not be read.
func (c *Client) Transport() http.RoundTripper { return (*restTransport)(c) }

type restTransport Client

func (t *restTransport) RoundTrip(req *http.Request) (*http.Response, error) {
	body := &heldBody{body: req.Body}
	var tried *replica
	for attempts := 1; ; attempts++ {
		r, f := t.replicas.pick(req.Context(), tried)
		if f != nil {
			body.end()
			return nil, f
		}
		sent := t.send(req, r, body, attempts)
		r.record(sent.sign)
		if sent.response != nil {
			return sent.response, nil
		}
		if sent.sign == dead {
			t.replicas.doubt()
		}
		if !sent.again || r == tried || attempts >= t.policy.Attempts {
			body.end()
			return nil, sent.err
		}
		t.counts.retries.Add(1)
		tried = r
	}
}

// sending is how an attempt to send a request has ended.
type sending struct {
	response *http.Response
	err      error
	sign     sign
	again    bool // another replica may be asked
}

// send sends the request to one replica.
func (t *restTransport) send(req *http.Request, r *replica, body *heldBody, attempts int) sending {
	ctx, cancel := context.WithCancelCause(req.Context())
	out := req.Clone(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		// net/http may try a second connection by itself, if it is sure that nothing went out by the first.
		GetConn: func(string) { body.lent.Store(false) },
		GotConn: func(httptrace.GotConnInfo) { body.lent.Store(true) },
	}))
	out.URL.Scheme, out.URL.Host = scheme(t.web.TLSClientConfig != nil), r.address
	if req.Body != nil && req.Body != http.NoBody {
		out.Body = body
	}
	safe := req.Method == http.MethodGet || req.Method == http.MethodHead
	patience := time.Duration(math.MaxInt64)
	if safe && attempts < t.policy.Attempts && t.replicas.other(r) {
		// Only for the beginning of the answer: the rest of a stream may take as long as it likes.
		patience = t.policy.Attempt
	}
	timer := time.AfterFunc(patience, func() { cancel(errSilent) })
	start := time.Now()
	res, err := t.web.RoundTrip(out)
	if timer.Stop() && err == nil {
		res.Request = req
		res.Body = &endingBody{ReadCloser: res.Body, end: func() { cancel(nil) }}
		return sending{response: res, sign: alive}
	}
	silent := errors.Is(context.Cause(ctx), errSilent)
	cancel(nil)
	if err == nil { // the answer began just too late
		_ = res.Body.Close()
		err = errSilent
	}
	return t.failed(req, body, err, time.Since(start), sending{again: safe || !body.lent.Load()}, silent)
}

// failed tells what an attempt without an answer means.
func (t *restTransport) failed(req *http.Request, body *heldBody, err error, took time.Duration, s sending, silent bool) sending {
	gone := req.Context().Err()
	switch {
	case body.failed != nil:
		s.err, s.sign, s.again = body.failed, unclear, false
	case silent:
		s.err, s.sign = fault.New(fault.KindDeadline, "deadline", "no answer began in time").WithCause(err), dead
	case gone != nil:
		s.err, s.sign, s.again = fault.As(gone), unclear, false
		if errors.Is(gone, context.DeadlineExceeded) && took >= t.policy.Attempt/2 {
			s.sign = dead
		}
	default:
		s.err = fault.Unavailable(retryUnreachable, "unreachable", "the module cannot be reached").WithCause(err)
		s.sign = dead
	}
	return s
}

var errSilent = errors.New("no answer began in time")

// heldBody is a request's body that outlives attempts which got no connection: net/http closes it after each.
type heldBody struct {
	body   io.ReadCloser
	lent   atomic.Bool // there is a connection that it goes out by
	failed error       // why it could not be read
}

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.body.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		b.failed = err
	}
	return n, err
}

func (b *heldBody) Close() error {
	if b.lent.Load() {
		return b.body.Close()
	}
	return nil
}

// end closes the body when no more attempts are made.
func (b *heldBody) end() {
	if b.body != nil {
		_ = b.body.Close()
	}
}

// endingBody ends the request's context when the response was read.
type endingBody struct {
	io.ReadCloser
	end func()
}

func (b *endingBody) Close() error {
	defer b.end()
	return b.ReadCloser.Close()
}
