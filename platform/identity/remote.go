package identity

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"kerf/platform/fault"
)

// RemoteKeysConfig says where the keys are that another process, or an OIDC issuer, signs with. Zero values take the defaults.
type RemoteKeysConfig struct {
	URL string // of a JWKS document
	// Transport asks for it; http.DefaultTransport if nil. Redirects are not followed.
	Transport http.RoundTripper
	// Timeout bounds a look at the document: 3 s.
	Timeout time.Duration
	// RefreshAfter is how old the keys may become before they are looked at again: 5 min.
	RefreshAfter time.Duration
	// UnknownAfter is how long after a look a key that is not known is looked for again: 10 s. Anybody can send a token that names one.
	UnknownAfter time.Duration
	// RetryAfter is how long after a failed look the next one is made for whoever cannot do without: 1 s.
	RetryAfter time.Duration
	// Stale is how long keys verify that cannot be looked at again: 24 h. A key that the issuer withdrew is believed no longer than that.
	Stale time.Duration
	// Wall is the wall clock; time.Now if nil.
	Wall func() time.Time
}

func (c RemoteKeysConfig) withDefaults() RemoteKeysConfig {
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{
		{&c.Timeout, 3 * time.Second}, {&c.RefreshAfter, 5 * time.Minute}, {&c.UnknownAfter, 10 * time.Second},
		{&c.RetryAfter, time.Second}, {&c.Stale, 24 * time.Hour},
	} {
		if *d.value == 0 {
			*d.value = d.or
		}
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	return c
}

// RemoteKeys are the public keys of a JWKS document, kept for a while. They are looked at when a token needs them: first, when they have
// become old, and for a key that is not known, within limits. An issuer that cannot be reached locks out nobody whose key is known.
type RemoteKeys struct {
	config RemoteKeysConfig
	client *http.Client
	log    *slog.Logger
	looks  chan struct{} // holds the right to look
	state  atomic.Pointer[remoteState]
}

// remoteState is what the last looks gave.
type remoteState struct {
	keys   map[string]crypto.PublicKey
	looked time.Time // when keys were got; zero if never
	failed time.Time // when a look failed since; zero if none
}

// NewRemoteKeys returns keys that nobody has looked at yet.
func NewRemoteKeys(config RemoteKeysConfig, log *slog.Logger) *RemoteKeys {
	config = config.withDefaults()
	k := &RemoteKeys{config: config, log: log, looks: make(chan struct{}, 1)}
	k.client = &http.Client{
		Transport:     config.Transport,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	k.state.Store(&remoteState{})
	return k
}

// PublicKey returns the key that verifies what was signed under a key id. The error is Unavailable if the issuer could not be asked.
func (k *RemoteKeys) PublicKey(ctx context.Context, id string) (crypto.PublicKey, error) {
	s, now := k.state.Load(), k.config.Wall()
	found, ok := s.keys[id]
	usable := ok && now.Sub(s.looked) < k.config.Stale
	if k.worthALook(s, now, usable) {
		if s = k.look(ctx, s, usable); s != nil {
			found, ok = s.keys[id]
			usable = ok && now.Sub(s.looked) < k.config.Stale
		}
	}
	switch {
	case usable:
		return found, nil
	case s == nil || s.looked.IsZero() || !s.failed.IsZero():
		return nil, fault.Unavailable(k.config.RetryAfter, "issuer_unavailable", "the keys that verify tokens cannot be had")
	}
	return nil, errUnknownKey
}

// worthALook tells whether the document should be asked for now. Where the clock was set back, it is.
func (k *RemoteKeys) worthALook(s *remoteState, now time.Time, usable bool) bool {
	past := func(since time.Time, limit time.Duration) bool { return now.Sub(since) >= limit || now.Before(since) }
	switch {
	case usable && !s.failed.IsZero():
		return past(s.failed, k.config.UnknownAfter)
	case usable:
		return past(s.looked, k.config.RefreshAfter)
	case !s.failed.IsZero():
		return past(s.failed, k.config.RetryAfter)
	}
	return past(s.looked, k.config.UnknownAfter)
}

// look asks for the document, unless somebody else did since seen. Whoever can do without waits for nobody else's look. It returns nil if
// ctx ended before there was an answer.
func (k *RemoteKeys) look(ctx context.Context, seen *remoteState, canDoWithout bool) *remoteState {
	if canDoWithout {
		select {
		case k.looks <- struct{}{}:
		default:
			return seen
		}
	} else {
		select {
		case k.looks <- struct{}{}:
		case <-ctx.Done():
			return nil
		}
	}
	defer func() { <-k.looks }()
	if now := k.state.Load(); now != seen {
		return now
	}
	keys, err := k.fetch(ctx)
	next := &remoteState{keys: keys, looked: k.config.Wall()}
	if err != nil {
		if ctx.Err() != nil {
			return nil // the caller gave up, which tells nothing of the issuer
		}
		k.log.Warn("the keys that verify tokens could not be looked at", "error", err)
		next = &remoteState{keys: seen.keys, looked: seen.looked, failed: k.config.Wall()}
	}
	k.state.Store(next)
	return next
}

// maxJWKS bounds the document; a key is less than a kilobyte.
const maxJWKS = 1 << 20

func (k *RemoteKeys) fetch(ctx context.Context) (map[string]crypto.PublicKey, error) {
	ctx, cancel := context.WithTimeout(ctx, k.config.Timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, k.config.URL, http.NoBody)
	if err != nil {
		return nil, err
	}
	request.Header.Set("Accept", "application/jwk-set+json, application/json")
	answer, err := k.client.Do(request)
	if err != nil {
		return nil, err
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s answers %s", k.config.URL, answer.Status)
	}
	document, err := io.ReadAll(io.LimitReader(answer.Body, maxJWKS+1))
	if err != nil {
		return nil, err
	}
	if len(document) > maxJWKS {
		return nil, errors.New("the document is too large")
	}
	return parseJWKS(document)
}
