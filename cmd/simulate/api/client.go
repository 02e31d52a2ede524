package api

import (
	"cmp"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"
)

// Config tunes a client. Zero fields mean the default.
type Config struct {
	// Target is where the API answers, such as http://127.0.0.1:8080.
	Target string
	// Attempt is the deadline of one attempt of a call; 10 s.
	Attempt time.Duration
	// Patience is how long a call is tried again before it fails; 2 min. A server may be down for as long.
	Patience time.Duration
	// Backoff is the first pause between two attempts; it doubles up to 40 times as much, and each is shortened by a random part; 25 ms.
	Backoff time.Duration
	// Transport carries the requests; by default one that keeps as many connections as it needs.
	Transport http.RoundTripper
}

// Client calls one server. It is safe for concurrent use.
type Client struct {
	config  Config
	http    *http.Client // deadlines come with the context
	retries atomic.Int64
}

// New makes a client. The error is the target's, if it is no address.
func New(config Config) (*Client, error) {
	config.Target = strings.TrimSuffix(config.Target, "/")
	target, err := url.Parse(config.Target)
	if err != nil || target.Scheme != "http" && target.Scheme != "https" || target.Host == "" {
		return nil, fmt.Errorf("%q is not the address of a server, such as http://127.0.0.1:8080", config.Target)
	}
	config.Attempt = cmp.Or(config.Attempt, 10*time.Second)
	config.Patience = cmp.Or(config.Patience, 2*time.Minute)
	config.Backoff = cmp.Or(config.Backoff, 25*time.Millisecond)
	if config.Transport == nil {
		transport := http.DefaultTransport.(*http.Transport).Clone()
		// Hundreds of actors take turns on one host; the default of two idle connections would dial anew for nearly every call.
		transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, 1024
		transport.DisableCompression = true
		config.Transport = transport
	}
	return &Client{config: config, http: &http.Client{Transport: config.Transport}}, nil
}

// Retries is how many attempts were made beyond the first of each call.
func (c *Client) Retries() int64 { return c.retries.Load() }

// Target is the address of the server.
func (c *Client) Target() string { return c.config.Target }

// Transport carries the requests.
func (c *Client) Transport() http.RoundTripper { return c.config.Transport }

// Close lets go of the connections that are not in use.
func (c *Client) Close() { c.http.CloseIdleConnections() }
