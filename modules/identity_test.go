package modules_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"kerf/modules"
	"kerf/platform/rpc/localca"
)

// A process that its peers would not believe does not start, and has made nothing.
func TestAWrongCertificateIsFoundBeforeAnythingIsMade(t *testing.T) {
	ca, foreign := newCA(t), newCA(t)
	both := localca.Leaf{Modules: []string{"kitchen", "accounting"}}
	past := localca.Leaf{Modules: both.Modules, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}
	for name, row := range map[string]struct {
		by   *localca.CA
		leaf localca.Leaf
		key  bool // another certificate's
		want string
	}{
		"expired":                 {by: ca, leaf: past, want: "expired on " + past.NotAfter.UTC().Format(time.RFC3339)},
		"of another authority":    {by: foreign, leaf: both, want: "is not issued by the CA in "},
		"with another's key":      {by: ca, leaf: both, key: true, want: "private key does not match public key"},
		"without a placed module": {by: ca, leaf: localca.Leaf{Modules: []string{"kitchen", "orders"}}, want: "does not name accounting, placed here; it names kitchen, orders"},
		"for none of them":        {by: ca, leaf: localca.Leaf{Modules: []string{"orders"}}, want: "does not name kitchen, accounting, placed here; it names orders"},
	} {
		t.Run(name, func(t *testing.T) {
			files, data := t.TempDir(), t.TempDir()
			cert, key, authority := filepath.Join(files, "cert.pem"), filepath.Join(files, "key.pem"), filepath.Join(files, "ca.pem")
			if err := row.by.IssueTo(cert, key, row.leaf); err != nil {
				t.Fatal(err)
			}
			if row.key {
				if err := row.by.IssueTo(filepath.Join(files, "other.pem"), key, row.leaf); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(authority, ca.PEM(), 0o600); err != nil {
				t.Fatal(err)
			}
			settings := filepath.Join(files, "kerf.yaml")
			if err := os.WriteFile(settings, []byte("bus: {driver: kafka, brokers: [\"127.0.0.1:1\"]}\n"+
				"internal: {tls: {cert: "+cert+", key: "+key+", ca: "+authority+"}}\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			ctx, stop := context.WithTimeout(t.Context(), 20*time.Second) // one that starts after all ends without an error
			defer stop()
			var told strings.Builder
			err := modules.Part().Run(ctx, []string{"-config", settings, "-modules", "kitchen,accounting", "-internal", "127.0.0.1:0",
				"-data", data, "-init", "kitchen,accounting"}, nil, &told, &told)
			if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("it ended with %v\n%s", err, told.String())
			}
			if made, err := os.ReadDir(data); err != nil || len(made) > 0 {
				t.Errorf("it has made %v, %v", made, err)
			}
		})
	}
}

func newCA(t *testing.T) *localca.CA {
	t.Helper()
	ca, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	return ca
}
