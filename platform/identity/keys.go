package identity

import (
	"context"
	"crypto"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/google/uuid"
)

// KeysConfig says how long signing keys live. Zero values take the defaults.
type KeysConfig struct {
	// RotateAfter is how long a key signs: 30 days.
	RotateAfter time.Duration
	// Announce is how long a key is published before it signs, so that whoever cached the JWKS knows it by then: 1 day.
	Announce time.Duration
	// Retain is how long a key verifies after it stopped signing; no token may live longer: 2 days.
	Retain time.Duration
	// Wall is the wall clock; time.Now if nil.
	Wall func() time.Time
}

func (c KeysConfig) withDefaults() KeysConfig {
	for _, d := range []struct {
		value *time.Duration
		or    time.Duration
	}{{&c.RotateAfter, 30 * 24 * time.Hour}, {&c.Announce, 24 * time.Hour}, {&c.Retain, 48 * time.Hour}} {
		if *d.value == 0 {
			*d.value = d.or
		}
	}
	if c.Wall == nil {
		c.Wall = time.Now
	}
	return c
}

// How often a process looks into the folder: for what is due, and for a key that it does not know. The second is short, because
// another process may have made it just now, but not nothing: anybody can send a token that names an unknown key.
const (
	lookEvery    = time.Minute
	unknownEvery = time.Second
)

// Keys are the Ed25519 keys in a folder, one file each. The newest whose time has come signs; its successor is announced before it
// signs, its predecessor still verifies for a while. Any number of processes may share the folder: what is due is decided by the
// keys' ages alone, and changed under a lock.
type Keys struct {
	dir    string
	config KeysConfig
	set    atomic.Pointer[keySet]
	look   sync.Mutex // one look into the folder at a time
}

// keySet is one look into the folder.
type keySet struct {
	keys   []*key // by the time from which they sign, never empty
	byID   map[string]*key
	looked time.Time
}

type key struct {
	id      string
	from    time.Time // signs from then on, until the next key does
	private ed25519.PrivateKey
	public  crypto.PublicKey // its other half
}

func newKey(id string, from time.Time, private ed25519.PrivateKey) *key {
	return &key{id: id, from: from, private: private, public: private.Public()}
}

// OpenKeys opens the keys under dir, and makes folder and first key where there are none.
func OpenKeys(dir string, config KeysConfig) (*Keys, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open signing keys: %w", err)
	}
	k := &Keys{dir: dir, config: config.withDefaults()}
	if _, err := k.refresh(nil); err != nil {
		return nil, err
	}
	return k, nil
}

// signing returns the key that signs now.
func (k *Keys) signing() (*key, error) {
	set, now := k.set.Load(), k.config.Wall()
	if set.older(now, lookEvery) {
		var err error
		if set, err = k.refresh(set); err != nil {
			return nil, err
		}
	}
	return set.signingAt(now), nil
}

// PublicKey returns the key that verifies what was signed under a key id, or an error if there is none or it retired.
func (k *Keys) PublicKey(_ context.Context, id string) (crypto.PublicKey, error) {
	set, now := k.set.Load(), k.config.Wall()
	found, ok := set.byID[id]
	if set.older(now, lookEvery) || !ok && set.older(now, unknownEvery) {
		// A folder that cannot be read now does not lock out callers whose key is known.
		if fresh, err := k.refresh(set); err == nil {
			set = fresh
			found, ok = set.byID[id]
		}
	}
	if !ok || set.retired(found, now, k.config.Retain) {
		return nil, errUnknownKey
	}
	return found.public, nil
}

var errUnknownKey = errors.New("signed by an unknown key")

// JWK is one public key of a JWKS document (RFC 7517, RFC 8037).
type JWK struct {
	KeyType   string `json:"kty"`
	Curve     string `json:"crv"`
	X         string `json:"x"`
	ID        string `json:"kid"`
	Algorithm string `json:"alg"`
	Use       string `json:"use"`
}

// JWKS is the document at /.well-known/jwks.json.
type JWKS struct {
	Keys []JWK `json:"keys"`
}

// JWKS returns the public keys that verify now or soon will; none where there is no folder of keys, since somebody else signs.
func (k *Keys) JWKS() JWKS {
	if k == nil {
		return JWKS{Keys: []JWK{}}
	}
	set, now := k.set.Load(), k.config.Wall()
	if set.older(now, lookEvery) {
		if fresh, err := k.refresh(set); err == nil {
			set = fresh
		}
	}
	doc := JWKS{Keys: []JWK{}}
	for _, key := range set.keys {
		if set.retired(key, now, k.config.Retain) {
			continue
		}
		x := base64.RawURLEncoding.EncodeToString(key.public.(ed25519.PublicKey))
		doc.Keys = append(doc.Keys, JWK{KeyType: "OKP", Curve: "Ed25519", X: x, ID: key.id, Algorithm: "EdDSA", Use: "sig"})
	}
	return doc
}

// refresh reads the folder, and has keys made and deleted as is due, under a lock that spans processes. Of many who found the set that
// they have seen too old, one looks and the others take what it found.
func (k *Keys) refresh(seen *keySet) (*keySet, error) {
	k.look.Lock()
	defer k.look.Unlock()
	if current := k.set.Load(); current != seen {
		return current, nil
	}
	now := k.config.Wall()
	keys, err := readKeys(k.dir)
	if err != nil {
		return nil, err
	}
	if k.isDue(keys, now) {
		if keys, err = k.change(now); err != nil {
			return nil, err
		}
	}
	set := newKeySet(keys, now)
	k.set.Store(set)
	return set, nil
}

// isDue tells whether a key is to be made or deleted. Only then is the lock wanted, which a process that was stopped may hold.
func (k *Keys) isDue(keys []*key, now time.Time) bool {
	_, due := k.config.nextKey(keys, now)
	set := newKeySet(keys, now)
	return due || slices.ContainsFunc(keys, func(key *key) bool { return set.retired(key, now, k.config.Retain) })
}

// change makes and deletes the keys that are due, and returns those that there are then.
func (k *Keys) change(now time.Time) ([]*key, error) {
	unlock, err := lockFolder(k.dir)
	if err != nil {
		return nil, fmt.Errorf("lock signing keys: %w", err)
	}
	defer unlock()
	keys, err := readKeys(k.dir)
	if err != nil {
		return nil, err
	}
	if from, due := k.config.nextKey(keys, now); due {
		fresh, err := writeKey(k.dir, from)
		if err != nil {
			return nil, err
		}
		keys = append(keys, fresh)
	}
	return keys, k.deleteRetired(newKeySet(keys, now), now)
}

// nextKey tells whether a key is to be made now, and from when it shall sign.
func (c KeysConfig) nextKey(keys []*key, now time.Time) (from time.Time, due bool) {
	if len(keys) == 0 {
		return now, true
	}
	change := keys[len(keys)-1].from.Add(c.RotateAfter)
	if now.Before(change.Add(-c.Announce)) {
		return time.Time{}, false
	}
	if announced := now.Add(c.Announce); change.Before(announced) {
		change = announced // nobody was here in time: rather a late key than an unannounced one
	}
	return change, true
}

func (k *Keys) deleteRetired(set *keySet, now time.Time) error {
	for _, key := range set.keys {
		if !set.retired(key, now, k.config.Retain) {
			continue
		}
		if err := os.Remove(filepath.Join(k.dir, key.id+keySuffix)); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("delete a retired signing key: %w", err)
		}
	}
	return nil
}

func newKeySet(keys []*key, looked time.Time) *keySet {
	set := &keySet{keys: keys, byID: make(map[string]*key, len(keys)), looked: looked}
	for _, k := range keys {
		set.byID[k.id] = k
	}
	return set
}

// older tells whether the look was longer ago than limit, or in the future because the clock was set back.
func (s *keySet) older(now time.Time, limit time.Duration) bool {
	age := now.Sub(s.looked)
	return age >= limit || age < 0
}

// signingAt returns the last key whose time has come; the first one if the clock was set back before all of them.
func (s *keySet) signingAt(now time.Time) *key {
	current := s.keys[0]
	for _, k := range s.keys[1:] {
		if !k.from.After(now) {
			current = k
		}
	}
	return current
}

// retired tells whether k's successor has been signing for longer than retain.
func (s *keySet) retired(k *key, now time.Time, retain time.Duration) bool {
	i := slices.Index(s.keys, k)
	return i >= 0 && i+1 < len(s.keys) && now.Sub(s.keys[i+1].from) > retain
}

const keySuffix = ".key.json"

// keyFile is a key as it lies in the folder.
type keyFile struct {
	ID   string    `json:"kid"`
	From time.Time `json:"signs_from"`
	Seed []byte    `json:"ed25519_seed"`
}

func readKeys(dir string) ([]*key, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	var keys []*key
	for _, e := range entries {
		if !strings.HasSuffix(e.Name(), keySuffix) {
			continue
		}
		b, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if errors.Is(err, os.ErrNotExist) {
			continue // retired, and deleted by another process just now
		}
		if err != nil {
			return nil, fmt.Errorf("read signing keys: %w", err)
		}
		var f keyFile
		if err := json.Unmarshal(b, &f); err != nil || f.ID+keySuffix != e.Name() || len(f.Seed) != ed25519.SeedSize {
			return nil, fmt.Errorf("read signing keys: %s is not a key", e.Name())
		}
		keys = append(keys, newKey(f.ID, f.From, ed25519.NewKeyFromSeed(f.Seed)))
	}
	slices.SortFunc(keys, func(a, b *key) int {
		if c := a.from.Compare(b.from); c != 0 {
			return c
		}
		return strings.Compare(a.id, b.id)
	})
	return keys, nil
}

// writeKey makes a key. It gets its name when it is whole, so that a crash leaves no half key to trip over.
func writeKey(dir string, from time.Time) (*key, error) {
	_, private, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	id := uuid.Must(uuid.NewV7()).String()
	b, err := json.Marshal(keyFile{ID: id, From: from.UTC(), Seed: private.Seed()})
	if err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	temporary := filepath.Join(dir, id+".tmp")
	if err := writeSynced(temporary, b); err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	if err := os.Rename(temporary, filepath.Join(dir, id+keySuffix)); err != nil {
		return nil, fmt.Errorf("make a signing key: %w", err)
	}
	return newKey(id, from, private), nil
}

func writeSynced(path string, b []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	_, err = f.Write(b)
	return errors.Join(err, f.Sync(), f.Close())
}

// lockFolder holds the folder's lock until the returned function is called, or the process ends.
func lockFolder(dir string) (unlock func(), err error) {
	f, err := os.OpenFile(filepath.Join(dir, "lock"), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX)
		if err == nil {
			return func() { _ = f.Close() }, nil // closing releases the lock
		}
		if !errors.Is(err, syscall.EINTR) {
			return nil, errors.Join(err, f.Close())
		}
	}
}
