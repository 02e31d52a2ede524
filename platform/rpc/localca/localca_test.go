package localca_test

import (
	"crypto/tls"
	"crypto/x509"
	"os"
	"path/filepath"
	"testing"
	"time"

	"kerf/platform/rpc/localca"
)

func parse(t *testing.T, certPEM, keyPEM []byte) *x509.Certificate {
	t.Helper()
	pair, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return pair.Leaf
}

func pool(t *testing.T, pem []byte) *x509.CertPool {
	t.Helper()
	p := x509.NewCertPool()
	if !p.AppendCertsFromPEM(pem) {
		t.Fatal("the CA's certificate cannot be read")
	}
	return p
}

func TestACertificateNamesModulesAndHosts(t *testing.T) {
	ca, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue(localca.Leaf{Modules: []string{"kitchen", "delivery"}, Hosts: []string{"127.0.0.1", "localhost"}})
	if err != nil {
		t.Fatal(err)
	}
	leaf := parse(t, cert, key)
	if len(leaf.URIs) != 2 || leaf.URIs[0].String() != "kerf://module/kitchen" || leaf.URIs[1].String() != "kerf://module/delivery" {
		t.Errorf("the modules are %v", leaf.URIs)
	}
	for _, usage := range []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth} {
		for _, host := range []string{"127.0.0.1", "localhost"} {
			if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool(t, ca.PEM()), DNSName: host, KeyUsages: []x509.ExtKeyUsage{usage}}); err != nil {
				t.Errorf("usage %v at %s: %v", usage, host, err)
			}
		}
	}
	other, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool(t, other.PEM())}); err == nil {
		t.Error("another CA vouches for it")
	}
}

func TestACertificateHoldsAsLongAsItSays(t *testing.T) {
	ca, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	cert, key, err := ca.Issue(localca.Leaf{NotAfter: time.Now().Add(time.Hour)})
	if err != nil {
		t.Fatal(err)
	}
	leaf := parse(t, cert, key)
	for _, row := range []struct {
		at time.Time
		ok bool
	}{{time.Now(), true}, {time.Now().Add(2 * time.Hour), false}, {time.Now().Add(-time.Hour), false}} {
		if _, err := leaf.Verify(x509.VerifyOptions{Roots: pool(t, ca.PEM()), CurrentTime: row.at}); (err == nil) != row.ok {
			t.Errorf("at %v: %v", row.at, err)
		}
	}
}

func TestAFolderKeepsItsAuthority(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "tls")
	first, err := localca.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	second, err := localca.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	if string(first.PEM()) != string(second.PEM()) {
		t.Error("the folder was given another authority")
	}
	certFile, keyFile := filepath.Join(dir, "kitchen.pem"), filepath.Join(dir, "kitchen-key.pem")
	for range 2 { // the second replaces the first
		if err := second.IssueTo(certFile, keyFile, localca.Leaf{Modules: []string{"kitchen"}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := tls.LoadX509KeyPair(certFile, keyFile); err != nil {
		t.Error(err)
	}
	for _, file := range []string{keyFile, filepath.Join(dir, "ca-key.pem")} {
		if info, err := os.Stat(file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", file, info, err)
		}
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.pem.*")); err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

func TestAFolderWithAForeignKeyIsRefused(t *testing.T) {
	dir, other := t.TempDir(), t.TempDir()
	for _, d := range []string{dir, other} {
		if _, err := localca.Open(d); err != nil {
			t.Fatal(err)
		}
	}
	key, err := os.ReadFile(filepath.Join(other, "ca-key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "ca-key.pem"), key, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := localca.Open(dir); err == nil {
		t.Error("a key that does not belong to the certificate was taken")
	}
}
