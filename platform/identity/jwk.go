package identity

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math/big"
)

const (
	minRSABits     = 2048
	maxRSAExponent = 1<<31 - 1
)

// parseJWKS reads the keys that verify signatures, by id. Keys of other kinds or for other uses are passed over; a document without any that
// is of use is an error.
func parseJWKS(document []byte) (map[string]crypto.PublicKey, error) {
	var doc struct {
		Keys []foreignKey `json:"keys"`
	}
	if err := json.Unmarshal(document, &doc); err != nil {
		return nil, fmt.Errorf("not a JWKS: %w", err)
	}
	keys := make(map[string]crypto.PublicKey, len(doc.Keys))
	for _, k := range doc.Keys {
		if k.ID == "" || k.Use != "" && k.Use != "sig" {
			continue
		}
		if public, err := k.public(); err == nil {
			keys[k.ID] = public
		}
	}
	if len(keys) == 0 {
		return nil, errors.New("no key in it that verifies Ed25519, ES256 or RS256")
	}
	return keys, nil
}

// foreignKey is a key of a JWKS that others wrote (RFC 7517, 7518, 8037).
type foreignKey struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
	X         string `json:"x"`
	Y         string `json:"y"`
	N         string `json:"n"`
	E         string `json:"e"`
}

// public makes the key, whose type then decides the algorithm.
func (k foreignKey) public() (crypto.PublicKey, error) {
	switch {
	case k.KeyType == "OKP" && k.Curve == "Ed25519" && k.isFor("EdDSA"):
		x, err := bytesOf(k.X, ed25519.PublicKeySize)
		return ed25519.PublicKey(x), err
	case k.KeyType == "EC" && k.Curve == "P-256" && k.isFor("ES256"):
		const size = 32
		x, errX := bytesOf(k.X, size)
		y, errY := bytesOf(k.Y, size)
		if err := errors.Join(errX, errY); err != nil {
			return nil, err
		}
		// Fails for a point that is not on the curve.
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append(append([]byte{4}, x...), y...))
	case k.KeyType == "RSA" && k.isFor("RS256"):
		return k.rsa()
	}
	return nil, errors.New("a key of another kind")
}

func (k foreignKey) isFor(algorithm string) bool {
	return k.Algorithm == "" || k.Algorithm == algorithm
}

func (k foreignKey) rsa() (crypto.PublicKey, error) {
	n, errN := base64.RawURLEncoding.DecodeString(k.N)
	e, errE := base64.RawURLEncoding.DecodeString(k.E)
	if err := errors.Join(errN, errE); err != nil {
		return nil, err
	}
	exponent := new(big.Int).SetBytes(e)
	public := &rsa.PublicKey{N: new(big.Int).SetBytes(n)}
	if public.N.BitLen() < minRSABits || !exponent.IsInt64() || exponent.Int64() < 3 || exponent.Int64() > maxRSAExponent {
		return nil, errors.New("a weak key")
	}
	public.E = int(exponent.Int64())
	return public, nil
}

func bytesOf(text string, size int) ([]byte, error) {
	b, err := base64.RawURLEncoding.DecodeString(text)
	if err == nil && len(b) != size {
		err = fmt.Errorf("%d bytes, want %d", len(b), size)
	}
	return b, err
}
