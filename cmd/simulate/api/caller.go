package api

import (
	"context"
	"net/http"
	"sync"
	"time"
)

// Identity is what a token is asked for.
type Identity struct {
	Roles []string `json:"roles"`
	// Subject is a UUID for consumers and couriers, who are known by it.
	Subject string `json:"subject,omitempty"`
	// Owns are the restaurants of a restaurant's people.
	Owns []string `json:"owns,omitempty"`
	// TTL is in seconds; an hour if zero.
	TTL int `json:"ttl_seconds,omitempty"`
}

// Caller makes calls in somebody's name: it fetches a token when it first needs one, and again before that expires or when it is refused. It
// is safe for concurrent use.
type Caller struct {
	*Client
	identity Identity

	mu      sync.Mutex
	token   string
	renewAt time.Time
}

// As makes a caller of an identity. One without roles is anonymous.
func (c *Client) As(identity Identity) *Caller { return &Caller{Client: c, identity: identity} }

// Subject is who the caller is.
func (c *Caller) Subject() string { return c.identity.Subject }

// Token is a valid token of the caller's, for a client that is not this one; "" for an anonymous caller.
func (c *Caller) Token(ctx context.Context) (string, error) { return c.bearer(ctx) }

// bearer returns a valid token, which it may have to fetch; "" for an anonymous caller. The holder of the lock fetches for all who wait.
func (c *Caller) bearer(ctx context.Context) (string, error) {
	if len(c.identity.Roles) == 0 {
		return "", nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token != "" && time.Now().Before(c.renewAt) {
		return c.token, nil
	}
	var granted struct {
		Token     string    `json:"token"`
		ExpiresAt time.Time `json:"expires_at"`
	}
	asked := time.Now()
	if _, err := c.As(Identity{}).Do(ctx, Request{Method: http.MethodPost, Path: "/v1/tokens", Body: c.identity, Into: &granted}); err != nil {
		return "", err
	}
	// A server whose clock is ahead shortens this, one whose clock is behind has 401 do the rest.
	c.token, c.renewAt = granted.Token, asked.Add(granted.ExpiresAt.Sub(asked)*9/10)
	return c.token, nil
}

// forget drops a token that was refused, unless it was renewed meanwhile.
func (c *Caller) forget(token string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.token == token {
		c.token = ""
	}
}
