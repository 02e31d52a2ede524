package identity

import (
	"context"
	"crypto"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"kerf/platform/fault"
	"kerf/platform/ids"
)

// TokenConfig says what a token must name. Zero values take the defaults; issuer and verifier of one installation share it.
type TokenConfig struct {
	// Issuer and Audience are "kerf" if empty.
	Issuer   string
	Audience string
	// Leeway is how far the clocks of issuer and verifier may differ: 30 s.
	Leeway time.Duration
	// Wall is the wall clock; time.Now if nil.
	Wall func() time.Time
}

func (c TokenConfig) withDefaults() TokenConfig {
	if c.Issuer == "" {
		c.Issuer = "kerf"
	}
	if c.Audience == "" {
		c.Audience = "kerf"
	}
	if c.Leeway == 0 {
		c.Leeway = 30 * time.Second
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	return c
}

// The lifetimes of tokens. MaxTTL is less than KeysConfig.Retain, so that a token never outlives its key.
const (
	DefaultTTL = time.Hour
	MaxTTL     = 24 * time.Hour
)

// algorithms are those that a token may be signed with: EdDSA by the local issuer, the others by those of OIDC. Which one fits a key is
// decided by the key's type.
var algorithms = []string{"EdDSA", "ES256", "RS256"}

const (
	maxSubject  = 128
	maxOwned    = 100
	maxToken    = 8 << 10
	cacheTokens = 4096
)

type claims struct {
	jwt.RegisteredClaims
	Roles []Role   `json:"roles"`
	Owns  []string `json:"owns,omitempty"`
}

// Issuer makes tokens for local use: the demo, the simulation, tests. Whoever may call it may be anybody.
type Issuer struct {
	keys   *Keys
	config TokenConfig
}

// NewIssuer returns an issuer that signs with keys.
func NewIssuer(keys *Keys, config TokenConfig) *Issuer {
	return &Issuer{keys: keys, config: config.withDefaults()}
}

// TokenRequest says for whom a token shall speak.
type TokenRequest struct {
	// Roles are one or more, RoleService not among them.
	Roles []Role
	// Subject is up to 128 characters of text, without control characters; a fresh UUIDv7 if empty.
	Subject string
	// Owns are up to 100 ids.
	Owns []string
	// TTL is up to MaxTTL; DefaultTTL if zero.
	TTL time.Duration
}

// Token is a signed token and what its bearer must know of it.
type Token struct {
	Token     string
	Subject   string
	ExpiresAt time.Time
}

// Issue signs a token, or answers Invalid.
func (i *Issuer) Issue(r TokenRequest) (Token, error) {
	if err := r.check(); err != nil {
		return Token{}, err
	}
	if r.Subject == "" {
		r.Subject = ids.New()
	}
	if r.TTL == 0 {
		r.TTL = DefaultTTL
	}
	signing, err := i.keys.signing()
	if err != nil {
		return Token{}, err
	}
	now := i.config.Wall().UTC().Truncate(time.Second)
	token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, claims{
		RegisteredClaims: jwt.RegisteredClaims{
			Issuer: i.config.Issuer, Audience: jwt.ClaimStrings{i.config.Audience}, Subject: r.Subject, ID: ids.New(),
			IssuedAt: jwt.NewNumericDate(now), ExpiresAt: jwt.NewNumericDate(now.Add(r.TTL)),
		},
		Roles: r.Roles, Owns: r.Owns,
	})
	token.Header["kid"] = signing.id
	text, err := token.SignedString(signing.private)
	if err != nil {
		return Token{}, fmt.Errorf("sign a token: %w", err)
	}
	return Token{Token: text, Subject: r.Subject, ExpiresAt: now.Add(r.TTL)}, nil
}

func (r TokenRequest) check() error {
	var v fault.Checks
	v.That(len(r.Roles) > 0, "roles", "must name at least one role")
	for i, role := range r.Roles {
		v.That(role.known() && role != RoleService, fmt.Sprintf("roles[%d]", i), "must be consumer, restaurant, courier, support or admin")
	}
	v.Text(r.Subject, "subject", 0, maxSubject)
	v.That(len(r.Owns) <= maxOwned, "owns", "must have at most 100 ids")
	for i, id := range r.Owns {
		v.That(ids.Valid(id), fmt.Sprintf("owns[%d]", i), "must be a UUID in lower case")
	}
	v.That(r.TTL >= 0 && r.TTL <= MaxTTL, "ttl_seconds", "must be 1 to 86400")
	return v.Err()
}

// keySource finds the key that verifies what was signed under an id. The error is Unavailable if that cannot be found out now, and any other
// if there is none.
type keySource interface {
	PublicKey(ctx context.Context, id string) (crypto.PublicKey, error)
}

// Verifier tells who bears a token. The algorithms are pinned, issuer, audience and lifetime are checked.
//
// A signature takes about 60 µs to check and a client sends the same token with each request, so the verifier remembers the tokens
// that it found good; their lifetime, and that their key has not retired, it checks each time.
type Verifier struct {
	keys   keySource
	config TokenConfig
	parser *jwt.Parser

	mu       sync.Mutex
	young    map[string]verified // filled up to cacheTokens, then it becomes old
	old      map[string]verified
	capacity int
}

type verified struct {
	principal Principal
	kid       string
	expires   time.Time
}

// NewVerifier returns a verifier of tokens that keys signed.
func NewVerifier(keys keySource, config TokenConfig) *Verifier {
	config = config.withDefaults()
	return &Verifier{
		keys: keys, config: config, capacity: cacheTokens, young: make(map[string]verified),
		parser: jwt.NewParser(
			jwt.WithValidMethods(algorithms), jwt.WithIssuer(config.Issuer), jwt.WithAudience(config.Audience),
			jwt.WithExpirationRequired(), jwt.WithIssuedAt(), jwt.WithLeeway(config.Leeway), jwt.WithTimeFunc(config.Wall),
		),
	}
}

// Verify returns the bearer of a token, or Unauthenticated; Unavailable if the keys cannot be had that would tell.
func (v *Verifier) Verify(ctx context.Context, token string) (Principal, error) {
	if known, ok := v.recall(token); ok {
		if _, err := v.keys.PublicKey(ctx, known.kid); err != nil {
			return Principal{}, unauthenticated(err)
		}
		if v.config.Wall().Before(known.expires.Add(v.config.Leeway)) {
			return known.principal, nil
		}
		return Principal{}, unauthenticated(jwt.ErrTokenExpired)
	}
	if len(token) > maxToken {
		return Principal{}, unauthenticated(errors.New("token is too long"))
	}
	var c claims
	parsed, err := v.parser.ParseWithClaims(token, &c, func(t *jwt.Token) (any, error) { return v.key(ctx, t) })
	if err != nil {
		return Principal{}, unauthenticated(err)
	}
	p, err := c.principal()
	if err != nil {
		return Principal{}, unauthenticated(err)
	}
	kid, _ := parsed.Header["kid"].(string)
	v.remember(token, verified{principal: p, kid: kid, expires: c.ExpiresAt.Time})
	return p, nil
}

func (v *Verifier) key(ctx context.Context, t *jwt.Token) (any, error) {
	if _, ok := t.Header["crit"]; ok {
		return nil, errors.New("has a critical extension") // whichever it is, it is not understood here: RFC 7515, 4.1.11
	}
	kid, _ := t.Header["kid"].(string)
	return v.keys.PublicKey(ctx, kid)
}

func (c claims) principal() (Principal, error) {
	if c.Subject == "" {
		return Principal{}, errors.New("no subject")
	}
	for _, r := range c.Roles {
		if !r.known() || r == RoleService {
			return Principal{}, errors.New("a role that no token may have")
		}
	}
	return Principal{Subject: c.Subject, Roles: c.Roles, OwnedIDs: c.Owns}, nil
}

func (v *Verifier) recall(token string) (verified, bool) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if known, ok := v.young[token]; ok {
		return known, true
	}
	known, ok := v.old[token]
	if ok {
		v.rememberLocked(token, known)
	}
	return known, ok
}

func (v *Verifier) remember(token string, known verified) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.rememberLocked(token, known)
}

// rememberLocked forgets by halves: cheap, bounded, and what is in use stays.
func (v *Verifier) rememberLocked(token string, known verified) {
	if len(v.young) >= v.capacity {
		v.old, v.young = v.young, make(map[string]verified, v.capacity)
	}
	v.young[token] = known
}

// unauthenticated is the answer to a token that could not be verified for that cause, unless the cause is an answer of its own.
func unauthenticated(cause error) error {
	var f *fault.Error
	if errors.As(cause, &f) && f.Kind == fault.KindUnavailable {
		return f
	}
	return fault.Unauthenticated("the token is not valid").WithCause(cause)
}
