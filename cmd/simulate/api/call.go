package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"time"

	"kerf/platform/ids"
)

// Request is one call.
type Request struct {
	Method, Path string
	// Key is the Idempotency-Key of a mutation. If it is empty a new one is made, which stays the same over all attempts.
	Key string
	// IfMatch and IfNoneMatch are ETags; none if empty.
	IfMatch, IfNoneMatch string
	// Body becomes JSON, or is sent as it is if it is a json.RawMessage; a mutation without one sends {}.
	Body any
	// Into is what the answer's JSON is decoded into; nil if the caller does not want it.
	Into any
}

// Answer is what came back for a call that succeeded.
type Answer struct {
	// Status is 2xx, or 304 if IfNoneMatch matched.
	Status         int
	ETag, Location string
	// Replayed says that the server had answered the same key before.
	Replayed bool
	Body     []byte
}

// maxBody bounds what is read of an answer.
const maxBody = 16 << 20

// Get reads a resource into a document.
func (c *Caller) Get(ctx context.Context, path string, into any) error {
	_, err := c.Do(ctx, Request{Method: http.MethodGet, Path: path, Into: into})
	return err
}

// Post does something, under a new key.
func (c *Caller) Post(ctx context.Context, path string, body, into any) error {
	_, err := c.Do(ctx, Request{Method: http.MethodPost, Path: path, Body: body, Into: into})
	return err
}

// Do makes a call, and repeats it while its outcome is open: the connection fails, the attempt's deadline passes, or the answer is 409 in
// flight, 429 or 5xx, until the client's patience ends. Repeats carry the same key, so that the server does what is asked once.
//
// A *Problem is the server's definite refusal. Another error means that nobody knows what became of the call.
func (c *Caller) Do(ctx context.Context, r Request) (Answer, error) {
	body, err := encode(r)
	if err != nil {
		return Answer{}, err
	}
	if r.mutates() && r.Key == "" {
		r.Key = ids.New()
	}
	began, renewed := time.Now(), false
	for attempt := 0; ; attempt++ {
		answer, err := c.attempt(ctx, r, body)
		var problem *Problem
		if errors.As(err, &problem) && problem.Status == http.StatusUnauthorized && len(c.identity.Roles) > 0 && !renewed {
			renewed = true // once: a new token that is refused too will not get better
			continue
		}
		if err == nil && r.Into != nil && len(answer.Body) > 0 {
			if err := json.Unmarshal(answer.Body, r.Into); err != nil {
				return answer, fmt.Errorf("%s %s: the answer is not what it should be: %w", r.Method, r.Path, err)
			}
		}
		if err == nil || problem != nil && !problem.open() {
			return answer, err
		}
		if ctx.Err() != nil {
			return answer, fmt.Errorf("%s %s: %w", r.Method, r.Path, context.Cause(ctx))
		}
		pause := c.pause(attempt)
		if problem != nil {
			pause = max(pause, problem.RetryAfter)
		}
		if time.Since(began)+pause > c.config.Patience {
			return answer, fmt.Errorf("%s %s: no answer after %d attempts: %w", r.Method, r.Path, attempt+1, err)
		}
		if err := wait(ctx, pause); err != nil {
			return answer, fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
		}
		c.retries.Add(1)
	}
}

func (r Request) mutates() bool { return r.Method != http.MethodGet && r.Method != http.MethodHead }

func encode(r Request) ([]byte, error) {
	switch body := r.Body.(type) {
	case nil:
		if r.mutates() && r.Method != http.MethodDelete {
			return []byte("{}"), nil
		}
		return nil, nil
	case json.RawMessage:
		return body, nil
	default:
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("%s %s: %w", r.Method, r.Path, err)
		}
		return b, nil
	}
}

// attempt sends the request once. A *Problem is an answer that is not a success.
func (c *Caller) attempt(ctx context.Context, r Request, body []byte) (Answer, error) {
	token, err := c.bearer(ctx)
	if err != nil {
		return Answer{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.config.Attempt)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, r.Method, c.config.Target+r.Path, bytes.NewReader(body))
	if err != nil {
		return Answer{}, err
	}
	for _, header := range []struct{ name, value string }{
		{"Idempotency-Key", r.Key}, {"If-Match", r.IfMatch}, {"If-None-Match", r.IfNoneMatch},
	} {
		if header.value != "" {
			request.Header.Set(header.name, header.value)
		}
	}
	if token != "" {
		request.Header.Set("Authorization", "Bearer "+token)
	}
	if len(body) > 0 {
		request.Header.Set("Content-Type", "application/json")
	}
	response, err := c.http.Do(request)
	if err != nil {
		return Answer{}, err
	}
	defer func() { _ = response.Body.Close() }()
	content, err := io.ReadAll(io.LimitReader(response.Body, maxBody))
	if err != nil {
		return Answer{}, err
	}
	if response.StatusCode >= 400 {
		problem := problemOf(response, content)
		if problem.Status == http.StatusUnauthorized {
			c.forget(token)
		}
		return Answer{Status: response.StatusCode, Body: content}, problem
	}
	return Answer{
		Status: response.StatusCode, Body: content, ETag: response.Header.Get("ETag"), Location: response.Header.Get("Location"),
		Replayed: response.Header.Get("Idempotency-Replayed") == "true",
	}, nil
}

// pause is how long to wait after an attempt: half of it is random, so that clients that failed together do not come back together.
func (c *Client) pause(attempt int) time.Duration {
	full := min(c.config.Backoff<<min(attempt, 10), 40*c.config.Backoff)
	return full/2 + rand.N(full/2+1)
}

// wait is a pause that ends with ctx.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Problem is a refusal (RFC 9457).
type Problem struct {
	Status     int         `json:"status"`
	Code       string      `json:"code"`
	Title      string      `json:"title"`
	Detail     string      `json:"detail"`
	Violations []Violation `json:"violations"`
	// RetryAfter is when to ask again, if the server said so.
	RetryAfter time.Duration `json:"-"`

	request string
}

// Violation is one fault of a request.
type Violation struct {
	Field       string `json:"field"`
	Description string `json:"description"`
}

func problemOf(response *http.Response, content []byte) *Problem {
	p := &Problem{}
	if json.Unmarshal(content, p) != nil || p.Title == "" {
		*p = Problem{Title: http.StatusText(response.StatusCode)} // a proxy's, perhaps
	}
	p.Status, p.request = response.StatusCode, response.Request.Method+" "+response.Request.URL.Path
	if seconds, err := strconv.Atoi(response.Header.Get("Retry-After")); err == nil && seconds > 0 {
		p.RetryAfter = time.Duration(seconds) * time.Second
	}
	return p
}

func (p *Problem) Error() string {
	text := fmt.Sprintf("%s: %d %s", p.request, p.Status, p.Code)
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	for _, v := range p.Violations {
		text += fmt.Sprintf("; %s %s", v.Field, v.Description)
	}
	return text
}

// open tells whether the outcome may yet be another.
func (p *Problem) open() bool {
	return p.Status >= 500 || slices.Contains([]int{http.StatusRequestTimeout, http.StatusConflict, http.StatusTooManyRequests}, p.Status)
}

// Refused tells whether an error is the server's definite refusal, and which.
func Refused(err error) (*Problem, bool) {
	var p *Problem
	if errors.As(err, &p) && !p.open() {
		return p, true
	}
	return nil, false
}

// Absent tells whether an error says that there is no such thing, or not for this caller.
func Absent(err error) bool {
	p, ok := Refused(err)
	return ok && p.Status == http.StatusNotFound
}
