package identity_test

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"strings"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"
	"github.com/google/go-cmp/cmp"

	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/ids"
)

func kidOf(t *testing.T, token string) string {
	t.Helper()
	parsed, _, err := jwt.NewParser().ParseUnverified(token, jwt.MapClaims{})
	if err != nil {
		t.Fatal(err)
	}
	return parsed.Header["kid"].(string)
}

func TestATokenSaysWhoItsBearerIs(t *testing.T) {
	w := newWall()
	keys := openKeys(t, t.TempDir(), w)
	restaurant := ids.New()
	token := issue(t, keys, w, identity.TokenRequest{Roles: []identity.Role{identity.RoleRestaurant, identity.RoleSupport}, Owns: []string{restaurant}})
	if !ids.Valid(token.Subject) || !token.ExpiresAt.Equal(w.Now().Add(time.Hour)) {
		t.Errorf("token = %+v: want a fresh subject and an hour", token)
	}
	got, err := identity.NewVerifier(keys, identity.TokenConfig{Wall: w.Now}).Verify(t.Context(), token.Token)
	want := identity.Principal{
		Subject: token.Subject, Roles: []identity.Role{identity.RoleRestaurant, identity.RoleSupport}, OwnedIDs: []string{restaurant},
	}
	if diff := cmp.Diff(want, got); err != nil || diff != "" {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
	if !got.Owns(restaurant) || !got.Owns(token.Subject) || got.Owns("") || got.Owns(ids.New()) {
		t.Error("owns the wrong things")
	}
	if !got.Has(identity.RoleAdmin, identity.RoleSupport) || got.Has(identity.RoleAdmin) || got.Has() {
		t.Error("has the wrong roles")
	}
}

func TestATokenIsGoodForItsLifetimeOnly(t *testing.T) {
	w := newWall()
	keys := openKeys(t, t.TempDir(), w)
	verifier := identity.NewVerifier(keys, identity.TokenConfig{Wall: w.Now})
	token := issue(t, keys, w, identity.TokenRequest{TTL: time.Minute}).Token
	for _, step := range []struct {
		advance time.Duration
		good    bool
	}{{0, true}, {0, true}, {time.Minute, true}, {29 * time.Second, true}, {2 * time.Second, false}, {0, false}} {
		w.advance(step.advance)
		for name, err := range map[string]error{"remembered": verify(verifier, token), "fresh": verifies(keys, w, token)} {
			if (err == nil) != step.good {
				t.Errorf("%s, at %v: %v", name, w.Now(), err)
			}
			if err != nil && fault.KindOf(err) != fault.KindUnauthenticated {
				t.Errorf("%s: kind %v", name, fault.KindOf(err))
			}
		}
	}
}

func verify(v *identity.Verifier, token string) error {
	_, err := v.Verify(context.Background(), token)
	return err
}

func TestARememberedTokenFallsWithItsKey(t *testing.T) {
	w := newWall()
	keys, err := identity.OpenKeys(t.TempDir(), identity.KeysConfig{RotateAfter: time.Hour, Announce: time.Minute, Retain: time.Hour, Wall: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	verifier := identity.NewVerifier(keys, identity.TokenConfig{Wall: w.Now})
	token := issue(t, keys, w, identity.TokenRequest{TTL: identity.MaxTTL}).Token
	if err := verify(verifier, token); err != nil {
		t.Fatal(err)
	}
	w.advance(time.Hour)
	keys.JWKS() // somebody looks, and the successor is made
	w.advance(3 * time.Hour)
	if err := verify(verifier, token); err == nil {
		t.Error("a token is good whose key has retired")
	}
}

func TestForgedAndForeignTokensAreRefused(t *testing.T) {
	w := newWall()
	keys := openKeys(t, t.TempDir(), w)
	kid := kids(keys)[0]
	key, err := keys.PublicKey(t.Context(), kid)
	if err != nil {
		t.Fatal(err)
	}
	public := key.(ed25519.PublicKey)
	_, foreign, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := issue(t, keys, w, identity.TokenRequest{Subject: "s"}).Token
	parts := strings.Split(good, ".")
	claims := jwt.MapClaims{"iss": "kerf", "aud": "kerf", "sub": "s", "roles": []string{"admin"}, "exp": w.Now().Add(time.Hour).Unix()}
	signed := func(method jwt.SigningMethod, key any) string {
		token := jwt.NewWithClaims(method, claims)
		token.Header["kid"] = kid
		text, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
	other := func(c identity.TokenConfig, r identity.TokenRequest) string {
		if c.Wall == nil {
			c.Wall = w.Now
		}
		r.Roles = []identity.Role{identity.RoleConsumer}
		token, err := identity.NewIssuer(keys, c).Issue(r)
		if err != nil {
			t.Fatal(err)
		}
		return token.Token
	}
	tomorrow := func() time.Time { return w.Now().Add(day) }
	for name, token := range map[string]string{
		"empty":                    "",
		"no token":                 "hello",
		"no signature":             parts[0] + "." + parts[1] + ".",
		"other claims":             parts[0] + "." + base64.RawURLEncoding.EncodeToString([]byte(`{"sub":"root"}`)) + "." + parts[2],
		"algorithm none":           signed(jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType),
		"HMAC with the public key": signed(jwt.SigningMethodHS256, []byte(public)),
		"a foreign key":            signed(jwt.SigningMethodEdDSA, foreign),
		"another issuer":           other(identity.TokenConfig{Issuer: "elsewhere"}, identity.TokenRequest{}),
		"another audience":         other(identity.TokenConfig{Audience: "elsewhere"}, identity.TokenRequest{}),
		"issued tomorrow":          other(identity.TokenConfig{Wall: tomorrow}, identity.TokenRequest{}),
		"keys of another folder":   issue(t, openKeys(t, t.TempDir(), w), w, identity.TokenRequest{}).Token,
		"too long":                 good + strings.Repeat("x", 16<<10),
	} {
		if err := verifies(keys, w, token); fault.KindOf(err) != fault.KindUnauthenticated {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := verifies(keys, w, good); err != nil {
		t.Errorf("the good one: %v", err)
	}
}

func TestATokenWithACriticalExtensionIsRefused(t *testing.T) {
	w := newWall()
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	keys := oneKey{private.Public().(ed25519.PublicKey)}
	for header, good := range map[string]bool{"typ": true, "crit": false} {
		token := jwt.NewWithClaims(jwt.SigningMethodEdDSA, jwt.MapClaims{
			"iss": "kerf", "aud": "kerf", "sub": "s", "roles": []string{"admin"}, "exp": w.Now().Add(time.Hour).Unix(),
		})
		token.Header[header] = []string{"b64"}
		text, err := token.SignedString(private)
		if err != nil {
			t.Fatal(err)
		}
		if err := verify(identity.NewVerifier(keys, identity.TokenConfig{Wall: w.Now}), text); (err == nil) != good {
			t.Errorf("%s: %v", header, err)
		}
	}
}

// oneKey is whatever key is asked for.
type oneKey struct{ key ed25519.PublicKey }

func (k oneKey) PublicKey(context.Context, string) (crypto.PublicKey, error) { return k.key, nil }

func TestASubjectIsText(t *testing.T) {
	issuer := identity.NewIssuer(openKeys(t, t.TempDir(), newWall()), identity.TokenConfig{})
	for subject, ok := range map[string]bool{"": true, "ann": true, strings.Repeat("ä", 128): true, "a\x00": false, "a\x1b[2J": false, " ann": false} {
		_, err := issuer.Issue(identity.TokenRequest{Roles: []identity.Role{identity.RoleAdmin}, Subject: subject})
		if (err == nil) != ok {
			t.Errorf("%q: %v", subject, err)
		}
	}
}

func TestARequestForATokenIsChecked(t *testing.T) {
	issuer := identity.NewIssuer(openKeys(t, t.TempDir(), newWall()), identity.TokenConfig{})
	for field, r := range map[string]identity.TokenRequest{
		"roles":       {},
		"roles[0]":    {Roles: []identity.Role{identity.RoleService}},
		"roles[1]":    {Roles: []identity.Role{identity.RoleAdmin, "king"}},
		"subject":     {Roles: []identity.Role{identity.RoleAdmin}, Subject: strings.Repeat("s", 129)},
		"owns[0]":     {Roles: []identity.Role{identity.RoleAdmin}, Owns: []string{"mine"}},
		"ttl_seconds": {Roles: []identity.Role{identity.RoleAdmin}, TTL: identity.MaxTTL + time.Second},
	} {
		_, err := issuer.Issue(r)
		f := fault.As(err)
		if f == nil || f.Kind != fault.KindInvalid || len(f.Violations) != 1 || f.Violations[0].Field != field {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestTheVerifierRemembersABoundedNumberOfTokens(t *testing.T) {
	w := newWall()
	keys := openKeys(t, t.TempDir(), w)
	verifier := identity.NewVerifier(keys, identity.TokenConfig{Wall: w.Now})
	verifier.Remember(2)
	tokens := make([]string, 10)
	for i := range tokens {
		tokens[i] = issue(t, keys, w, identity.TokenRequest{}).Token
	}
	for range 3 {
		for _, token := range tokens {
			if err := verify(verifier, token); err != nil {
				t.Fatal(err)
			}
		}
	}
	if got := verifier.Remembered(); got > 4 {
		t.Errorf("remembers %d tokens, want at most 4", got)
	}
}

func BenchmarkVerifyARememberedToken(b *testing.B) {
	w := newWall()
	keys := openKeys(b, b.TempDir(), w)
	verifier := identity.NewVerifier(keys, identity.TokenConfig{Wall: w.Now})
	token := issue(b, keys, w, identity.TokenRequest{}).Token
	for b.Loop() {
		if err := verify(verifier, token); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVerifyAFreshToken(b *testing.B) {
	w := newWall()
	keys := openKeys(b, b.TempDir(), w)
	token := issue(b, keys, w, identity.TokenRequest{}).Token
	for b.Loop() {
		if err := verifies(keys, w, token); err != nil {
			b.Fatal(err)
		}
	}
}
