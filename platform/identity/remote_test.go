package identity_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"log/slog"
	"math/big"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"kerf/platform/fault"
	"kerf/platform/identity"
)

// issuer serves a JWKS that a test changes, and counts who asks.
type issuer struct {
	*httptest.Server
	mu    sync.Mutex
	body  string
	code  int
	delay chan struct{} // if not nil, it is awaited
	asked atomic.Int64

	hanging chan struct{} // told when somebody is made to wait
}

func startIssuer(t *testing.T, document any) *issuer {
	t.Helper()
	i := &issuer{code: http.StatusOK, hanging: make(chan struct{}, 1)}
	i.publish(t, document)
	i.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		i.mu.Lock()
		code, body, delay := i.code, i.body, i.delay
		i.mu.Unlock()
		if delay != nil {
			select {
			case i.hanging <- struct{}{}:
			default:
			}
			select {
			case <-delay:
			case <-r.Context().Done():
			}
		}
		if code == http.StatusFound {
			w.Header().Set("Location", i.URL)
		}
		w.WriteHeader(code)
		_, _ = w.Write([]byte(body)) // whoever left needs nothing
	}))
	t.Cleanup(i.Close)
	return i
}

func (i *issuer) publish(t *testing.T, document any) {
	t.Helper()
	b, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.body, i.code = string(b), http.StatusOK
}

func (i *issuer) fails(code int, body string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.code, i.body = code, body
}

func remote(url string, w *wall) *identity.RemoteKeys {
	return identity.NewRemoteKeys(identity.RemoteKeysConfig{URL: url, Wall: w.Now}, slog.New(slog.DiscardHandler))
}

func verifier(keys *identity.RemoteKeys, w *wall) *identity.Verifier {
	return identity.NewVerifier(keys, identity.TokenConfig{Wall: w.Now})
}

func kindOf(v *identity.Verifier, token string) fault.Kind {
	_, err := v.Verify(context.Background(), token)
	return fault.KindOf(err)
}

func TestTokensAreVerifiedByTheKeysOfAnotherProcess(t *testing.T) {
	w := newWall()
	keys := openKeys(t, t.TempDir(), w)
	gateway := startIssuer(t, keys.JWKS())
	v := verifier(remote(gateway.URL, w), w)
	token := issue(t, keys, w, identity.TokenRequest{Subject: "somebody"})

	for range 10 {
		p, err := v.Verify(t.Context(), token.Token)
		if err != nil || p.Subject != "somebody" {
			t.Fatalf("%+v, %v", p, err)
		}
	}
	if got := gateway.asked.Load(); got != 1 {
		t.Errorf("asked %d times", got)
	}
}

func TestAnUnknownKeyIsLookedForWithinLimits(t *testing.T) {
	w := newWall()
	keys, others := openKeys(t, t.TempDir(), w), openKeys(t, t.TempDir(), w)
	gateway := startIssuer(t, keys.JWKS())
	v := verifier(remote(gateway.URL, w), w)
	known, unknown := issue(t, keys, w, identity.TokenRequest{}).Token, issue(t, others, w, identity.TokenRequest{}).Token

	if got := kindOf(v, known); got != fault.KindOf(nil) {
		t.Fatal(got)
	}
	for range 100 {
		if got := kindOf(v, unknown); got != fault.KindUnauthenticated {
			t.Fatal(got)
		}
	}
	if got := gateway.asked.Load(); got != 1 {
		t.Errorf("asked %d times within the limit", got)
	}
	gateway.publish(t, others.JWKS())
	w.advance(10 * time.Second)
	if got := kindOf(v, unknown); got != fault.KindOf(nil) {
		t.Errorf("a key that was published since is not found: %v", got)
	}
	if got := kindOf(v, known); got != fault.KindUnauthenticated {
		t.Errorf("a key that was withdrawn still verifies: %v", got)
	}
}

func TestAnIssuerThatIsDownLocksOutNobodyWhoseKeyIsKnown(t *testing.T) {
	w := newWall()
	keys := openKeys(t, t.TempDir(), w)
	gateway := startIssuer(t, keys.JWKS())
	v := verifier(remote(gateway.URL, w), w)
	document := keys.JWKS()
	long := func() string { return issue(t, keys, w, identity.TokenRequest{TTL: identity.MaxTTL}).Token }

	gateway.fails(http.StatusInternalServerError, "")
	if got := kindOf(v, long()); got != fault.KindUnavailable {
		t.Errorf("before the keys were ever had: %v", got)
	}
	if kindOf(v, long()); gateway.asked.Load() != 1 {
		t.Error("asked again at once")
	}
	gateway.publish(t, document)
	w.advance(time.Second)
	if got := kindOf(v, long()); got != fault.KindOf(nil) {
		t.Fatal(got)
	}

	gateway.fails(http.StatusInternalServerError, "")
	asked := gateway.asked.Load()
	w.advance(5 * time.Minute)
	for range 10 {
		if got := kindOf(v, long()); got != fault.KindOf(nil) {
			t.Fatalf("while the issuer is down: %v", got)
		}
	}
	if got := gateway.asked.Load() - asked; got != 1 {
		t.Errorf("asked %d times while it was down", got)
	}
	token := long()
	w.advance(24 * time.Hour)
	if got := kindOf(v, token); got != fault.KindUnavailable {
		t.Errorf("after a day: %v", got)
	}
}

func TestADocumentThatCannotBeUsedChangesNothing(t *testing.T) {
	for name, c := range map[string]struct {
		code int
		body string
	}{
		"an error":    {http.StatusNotFound, "{}"},
		"elsewhere":   {http.StatusFound, ""},
		"no JSON":     {http.StatusOK, "<html>"},
		"no keys":     {http.StatusOK, `{"keys":[]}`},
		"other kinds": {http.StatusOK, `{"keys":[{"kty":"oct","kid":"a","k":"AAAA"},{"kty":"EC","crv":"P-256","kid":"b","x":"AA","y":"AA"},{"kty":"RSA","kid":"c","n":"AQAB","e":"AQAB"},{"kty":"OKP","crv":"Ed25519","x":"AAAA","kid":"d"}]}`},
		"too large":   {http.StatusOK, `{"keys":[],"x":"` + strings.Repeat("x", 1<<20) + `"}`},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWall()
			keys := openKeys(t, t.TempDir(), w)
			gateway := startIssuer(t, keys.JWKS())
			v := verifier(remote(gateway.URL, w), w)
			if got := kindOf(v, issue(t, keys, w, identity.TokenRequest{}).Token); got != fault.KindOf(nil) {
				t.Fatal(got)
			}
			gateway.fails(c.code, c.body)
			w.advance(time.Hour)
			if got := kindOf(v, issue(t, keys, w, identity.TokenRequest{}).Token); got != fault.KindOf(nil) {
				t.Errorf("the known key is forgotten: %v", got)
			}
			if got := gateway.asked.Load(); got != 2 {
				t.Errorf("asked %d times", got)
			}
		})
	}
}

func TestAnIssuerThatHangsIsNotWaitedForLongerThanTheCallerWaits(t *testing.T) {
	w := newWall()
	keys := openKeys(t, t.TempDir(), w)
	gateway := startIssuer(t, keys.JWKS())
	gateway.delay = make(chan struct{})
	k := remote(gateway.URL, w)
	kid := kids(keys)[0]

	ctx, cancel := context.WithCancel(t.Context())
	hanging := make(chan error, 2)
	for range 2 {
		go func() {
			_, err := k.PublicKey(ctx, kid)
			hanging <- err
		}()
	}
	<-gateway.hanging // one asks, the other waits for it
	cancel()
	for range 2 {
		if err := <-hanging; fault.KindOf(err) != fault.KindUnavailable {
			t.Errorf("error = %v", err)
		}
	}
	close(gateway.delay)
	if _, err := k.PublicKey(t.Context(), kid); err != nil {
		t.Errorf("a caller that gave up counts against the issuer: %v", err)
	}
}

// An OIDC issuer signs with other algorithms. Each key takes its own and no other.
func TestOtherAlgorithmsAreTakenForTheirKeysOnly(t *testing.T) {
	w := newWall()
	edPublic, ed, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	ec, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	rs, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	point, err := ec.PublicKey.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString
	document := map[string]any{"keys": []map[string]string{
		{"kty": "OKP", "crv": "Ed25519", "kid": "ed", "x": text(edPublic)},
		{"kty": "EC", "crv": "P-256", "kid": "ec", "alg": "ES256", "use": "sig", "x": text(point[1:33]), "y": text(point[33:])},
		{"kty": "RSA", "kid": "rs", "n": text(rs.N.Bytes()), "e": text(big.NewInt(int64(rs.E)).Bytes())},
		{"kty": "RSA", "kid": "encrypts", "use": "enc", "n": text(rs.N.Bytes()), "e": "AQAB"},
		{"kty": "RSA", "kid": "other", "alg": "PS256", "n": text(rs.N.Bytes()), "e": "AQAB"},
	}}
	v := identity.NewVerifier(remote(startIssuer(t, document).URL, w), identity.TokenConfig{Issuer: "https://issuer.example/", Audience: "shop", Wall: w.Now})
	token := func(kid, issuer, audience string, method jwt.SigningMethod, key crypto.PrivateKey) string {
		token := jwt.NewWithClaims(method, jwt.MapClaims{
			"iss": issuer, "aud": audience, "sub": "s", "roles": []string{"consumer"}, "exp": w.Now().Add(time.Hour).Unix(),
		})
		token.Header["kid"] = kid
		signed, err := token.SignedString(key)
		if err != nil {
			t.Fatal(err)
		}
		return signed
	}
	const iss, aud = "https://issuer.example/", "shop"
	for name, c := range map[string]struct {
		token string
		good  bool
	}{
		"EdDSA":                    {token("ed", iss, aud, jwt.SigningMethodEdDSA, ed), true},
		"ES256":                    {token("ec", iss, aud, jwt.SigningMethodES256, ec), true},
		"RS256":                    {token("rs", iss, aud, jwt.SigningMethodRS256, rs), true},
		"RS512":                    {token("rs", iss, aud, jwt.SigningMethodRS512, rs), false},
		"PS256":                    {token("other", iss, aud, jwt.SigningMethodPS256, rs), false},
		"a key that encrypts":      {token("encrypts", iss, aud, jwt.SigningMethodRS256, rs), false},
		"the public key as secret": {token("ed", iss, aud, jwt.SigningMethodHS256, []byte(edPublic)), false},
		"another key's algorithm":  {token("ec", iss, aud, jwt.SigningMethodRS256, rs), false},
		"another issuer":           {token("ed", "https://other.example/", aud, jwt.SigningMethodEdDSA, ed), false},
		"meant for somebody else":  {token("ed", iss, "kerf", jwt.SigningMethodEdDSA, ed), false},
		"no signature":             {token("ed", iss, aud, jwt.SigningMethodNone, jwt.UnsafeAllowNoneSignatureType), false},
		"no key":                   {token("", iss, aud, jwt.SigningMethodEdDSA, ed), false},
	} {
		if got := kindOf(v, c.token) == fault.KindOf(nil); got != c.good {
			t.Errorf("%s: good = %t", name, got)
		}
	}
}

func FuzzJWKS(f *testing.F) {
	f.Add(`{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"a","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}`)
	f.Add(`{"keys":[{"kty":"EC","crv":"P-256","kid":"a","x":"","y":"AAAA"},{"kty":"RSA","kid":"b","n":"","e":"////////////"}]}`)
	f.Fuzz(func(t *testing.T, document string) {
		config := identity.RemoteKeysConfig{URL: "http://issuer.example/", Transport: answers(document)}
		key, err := identity.NewRemoteKeys(config, slog.New(slog.DiscardHandler)).PublicKey(t.Context(), "a")
		if (key == nil) == (err == nil) {
			t.Errorf("key = %v, %v", key, err)
		}
	})
}

// answers is an issuer that answers every request with this.
type answers string

func (a answers) RoundTrip(*http.Request) (*http.Response, error) {
	recorder := httptest.NewRecorder()
	_, err := recorder.WriteString(string(a))
	return recorder.Result(), err
}
