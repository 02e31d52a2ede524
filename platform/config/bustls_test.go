package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"kerf/platform/config"
	"kerf/platform/rpc/localca"
)

func TestBusTLSIsReadFromFiles(t *testing.T) {
	dir := t.TempDir()
	ca, err := localca.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	cert, key, empty := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "empty.pem")
	if err := ca.IssueTo(cert, key, localca.Leaf{Modules: []string{"orders"}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}

	got, err := config.BusTLS{CA: localca.Path(dir), Cert: cert, Key: key, ServerName: "broker"}.Load()
	if err != nil || got.RootCAs == nil || len(got.Certificates) != 1 || got.ServerName != "broker" {
		t.Errorf("got %+v, %v", got, err)
	}
	if got, err := (config.BusTLS{Enabled: true}).Load(); err != nil || got.RootCAs != nil {
		t.Errorf("without files: %+v, %v", got, err)
	}
	for want, bad := range map[string]config.BusTLS{
		"bus.tls.ca: no certificate": {CA: empty},
		"bus.tls.ca: open":           {CA: filepath.Join(dir, "none")},
		"bus.tls.cert: ":             {Cert: cert, Key: empty},
	} {
		if _, err := bad.Load(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error = %v, want %s", err, want)
		}
	}
}
