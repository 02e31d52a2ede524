package identity_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"kerf/platform/identity"
)

const day = 24 * time.Hour

// wall is a clock that a test turns.
type wall struct {
	mu  sync.Mutex
	now time.Time
}

func newWall() *wall { return &wall{now: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)} }

func (w *wall) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *wall) advance(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func openKeys(t testing.TB, dir string, w *wall) *identity.Keys {
	t.Helper()
	keys, err := identity.OpenKeys(dir, identity.KeysConfig{Wall: w.Now})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

func issue(t testing.TB, keys *identity.Keys, w *wall, r identity.TokenRequest) identity.Token {
	t.Helper()
	if r.Roles == nil {
		r.Roles = []identity.Role{identity.RoleConsumer}
	}
	token, err := identity.NewIssuer(keys, identity.TokenConfig{Wall: w.Now}).Issue(r)
	if err != nil {
		t.Fatal(err)
	}
	return token
}

func verifies(keys *identity.Keys, w *wall, token string) error {
	_, err := identity.NewVerifier(keys, identity.TokenConfig{Wall: w.Now}).Verify(context.Background(), token)
	return err
}

func kids(keys *identity.Keys) []string {
	var list []string
	for _, k := range keys.JWKS().Keys {
		list = append(list, k.ID)
	}
	return list
}

func TestAKeyIsAnnouncedThenSignsThenVerifiesForAWhileThenGoes(t *testing.T) {
	w := newWall()
	dir := t.TempDir()
	keys := openKeys(t, dir, w)
	first := kids(keys)
	if len(first) != 1 {
		t.Fatalf("a new folder has the keys %v", first)
	}

	w.advance(29 * day)
	announced := kids(keys)
	if len(announced) != 2 || announced[0] != first[0] {
		t.Fatalf("a day before the change the keys are %v", announced)
	}
	if got := kidOf(t, issue(t, keys, w, identity.TokenRequest{}).Token); got != first[0] {
		t.Fatalf("an announced key signs already: %s", got)
	}

	w.advance(day - time.Minute)
	last := issue(t, keys, w, identity.TokenRequest{TTL: identity.MaxTTL})
	w.advance(2 * time.Minute)
	if got := kidOf(t, issue(t, keys, w, identity.TokenRequest{}).Token); got != announced[1] {
		t.Fatalf("after 30 days %s signs, want %s", got, announced[1])
	}
	w.advance(identity.MaxTTL - 3*time.Minute)
	if err := verifies(keys, w, last.Token); err != nil {
		t.Fatalf("the last token of the old key does not verify in its lifetime: %v", err)
	}

	w.advance(2 * day)
	if got := kids(keys); len(got) != 1 || got[0] != announced[1] {
		t.Fatalf("the old key did not go: %v", got)
	}
	if files, _ := filepath.Glob(filepath.Join(dir, "*.key.json")); len(files) != 1 {
		t.Fatalf("its file did not go: %v", files)
	}
}

func TestAfterALongStandstillTheOldKeySignsUntilANewOneWasAnnounced(t *testing.T) {
	w := newWall()
	dir := t.TempDir()
	old := kids(openKeys(t, dir, w))[0]
	w.advance(400 * day)
	keys := openKeys(t, dir, w)
	if got := kidOf(t, issue(t, keys, w, identity.TokenRequest{}).Token); got != old {
		t.Errorf("a key signs that nobody could know: %s", got)
	}
	w.advance(day)
	if got := kidOf(t, issue(t, keys, w, identity.TokenRequest{}).Token); got == old {
		t.Error("the old key still signs after its successor was announced for a day")
	}
}

func TestProcessesThatShareAFolderAgreeOnTheKeys(t *testing.T) {
	w := newWall()
	dir := t.TempDir()
	const processes = 8
	all := make([]*identity.Keys, processes)
	atOnce(processes, func(i int) { all[i], _ = identity.OpenKeys(dir, identity.KeysConfig{Wall: w.Now}) })
	for i, keys := range all {
		if keys == nil || len(kids(keys)) != 1 || kids(keys)[0] != kids(all[0])[0] {
			t.Fatalf("process %d has other keys", i)
		}
	}
	w.advance(30*day - time.Hour)
	atOnce(processes, func(i int) { all[i].JWKS() })
	for i, keys := range all {
		if got, want := kids(keys), kids(all[0]); len(got) != 2 || got[1] != want[1] {
			t.Errorf("process %d made a successor of its own: %v, want %v", i, got, want)
		}
	}
	w.advance(2 * time.Hour)
	for i := range all {
		token := issue(t, all[i], w, identity.TokenRequest{}).Token
		if err := verifies(all[(i+1)%processes], w, token); err != nil {
			t.Errorf("what process %d signed, the next does not take: %v", i, err)
		}
	}
}

func TestAKeyThatAnotherProcessMadeIsFoundWithoutARestart(t *testing.T) {
	w := newWall()
	dir := t.TempDir()
	verifier := openKeys(t, dir, w)
	moved := filepath.Join(dir, kids(verifier)[0]+".key.json")
	if err := os.Remove(moved); err != nil { // the other process starts on an empty folder
		t.Fatal(err)
	}
	signer := openKeys(t, dir, w)
	w.advance(time.Second)
	if err := verifies(verifier, w, issue(t, signer, w, identity.TokenRequest{}).Token); err != nil {
		t.Errorf("a fresh key of the shared folder is not found: %v", err)
	}
}

func TestTheFolderIsPrivateAndBrokenFilesAreNamed(t *testing.T) {
	w := newWall()
	dir := filepath.Join(t.TempDir(), "keys")
	kid := kids(openKeys(t, dir, w))[0]
	for _, path := range []string{dir, filepath.Join(dir, kid+".key.json")} {
		info, err := os.Stat(path)
		if err != nil || info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s is open to others: %v, %v", path, info.Mode(), err)
		}
	}
	if err := os.WriteFile(filepath.Join(dir, "x.key.json"), []byte("{}"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := identity.OpenKeys(dir, identity.KeysConfig{Wall: w.Now}); err == nil {
		t.Error("a broken key file was passed over")
	}
}

func TestTheJWKSHoldsPublicKeysOnly(t *testing.T) {
	b, err := json.Marshal(openKeys(t, t.TempDir(), newWall()).JWKS())
	if err != nil {
		t.Fatal(err)
	}
	var doc struct{ Keys []map[string]string }
	if err := json.Unmarshal(b, &doc); err != nil || len(doc.Keys) != 1 {
		t.Fatalf("%s: %v", b, err)
	}
	for name, want := range map[string]string{"kty": "OKP", "crv": "Ed25519", "alg": "EdDSA", "use": "sig"} {
		if doc.Keys[0][name] != want {
			t.Errorf("%s = %q, want %q", name, doc.Keys[0][name], want)
		}
	}
	if _, private := doc.Keys[0]["d"]; private || len(doc.Keys[0]["x"]) != 43 {
		t.Errorf("not a public key: %s", b)
	}
}

func TestWithoutAFolderNoKeyIsPublished(t *testing.T) {
	var none *identity.Keys
	if b, err := json.Marshal(none.JWKS()); err != nil || string(b) != `{"keys":[]}` {
		t.Errorf("JWKS = %s, %v", b, err)
	}
}

// atOnce runs f for 0 to n-1 at once.
func atOnce(n int, f func(i int)) {
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { f(i) })
	}
	wg.Wait()
}
