package localca

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"time"

	"kerf/platform/rpc"
)

const (
	certFile = "ca.pem"
	keyFile  = "ca-key.pem"
	lifetime = 10 * 365 * 24 * time.Hour
	// back is how far clocks may be apart.
	back = 5 * time.Minute
)

// CA issues certificates. It is safe for concurrent use.
type CA struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

// Leaf is what a certificate says of a process.
type Leaf struct {
	// Modules are those that the process speaks for.
	Modules []string
	// Hosts are names and IP addresses. Kerf's own clients go by the modules; others, curl for instance, by these.
	Hosts []string
	// NotBefore and NotAfter are when it holds; by default from now on, for a year.
	NotBefore, NotAfter time.Time
}

// New returns an authority that is nowhere kept.
func New() (*CA, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Kerf local CA"},
		NotBefore: time.Now().Add(-back), NotAfter: time.Now().Add(lifetime),
		IsCA: true, BasicConstraintsValid: true, MaxPathLenZero: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("make the local CA: %w", err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		return nil, err
	}
	return &CA{cert: cert, key: key}, nil
}

// Open returns the authority that a folder keeps, and makes one if it keeps none. Its certificate is Path(dir).
func Open(dir string) (*CA, error) {
	ca, err := load(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return ca, err
	}
	if ca, err = New(); err != nil {
		return nil, err
	}
	key, err := keyPEM(ca.key)
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	if err := write(filepath.Join(dir, keyFile), key, 0o600); err != nil {
		return nil, err
	}
	// Last, so that whoever finds it finds the key too.
	return ca, write(Path(dir), ca.PEM(), 0o644)
}

// Path is where Open keeps the authority's certificate, which processes are told to trust.
func Path(dir string) string { return filepath.Join(dir, certFile) }

func load(dir string) (*CA, error) {
	certBlock, err := readPEM(Path(dir))
	if err != nil {
		return nil, err
	}
	keyBlock, err := readPEM(filepath.Join(dir, keyFile))
	if err != nil {
		return nil, err
	}
	cert, err := x509.ParseCertificate(certBlock)
	if err != nil {
		return nil, fmt.Errorf("local CA in %s: %w", dir, err)
	}
	key, err := x509.ParsePKCS8PrivateKey(keyBlock)
	if err != nil {
		return nil, fmt.Errorf("local CA in %s: %w", dir, err)
	}
	signer, ok := key.(*ecdsa.PrivateKey)
	if !ok || !signer.PublicKey.Equal(cert.PublicKey) {
		return nil, fmt.Errorf("local CA in %s: the key does not belong to the certificate", dir)
	}
	return &CA{cert: cert, key: signer}, nil
}

// PEM returns the authority's certificate.
func (ca *CA) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: ca.cert.Raw})
}

// Issue returns a new certificate and its key, both as PEM.
func (ca *CA) Issue(leaf Leaf) (cert, key []byte, err error) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	if leaf.NotBefore.IsZero() {
		leaf.NotBefore = time.Now().Add(-back)
	}
	if leaf.NotAfter.IsZero() {
		leaf.NotAfter = time.Now().AddDate(1, 0, 0)
	}
	template := &x509.Certificate{
		SerialNumber: serial(), Subject: pkix.Name{CommonName: "Kerf process"}, NotBefore: leaf.NotBefore, NotAfter: leaf.NotAfter,
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		URIs: uris(leaf.Modules),
	}
	for _, host := range leaf.Hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
			continue
		}
		template.DNSNames = append(template.DNSNames, host)
	}
	der, err := x509.CreateCertificate(rand.Reader, template, ca.cert, private.Public(), ca.key)
	if err != nil {
		return nil, nil, fmt.Errorf("issue a certificate to %v: %w", leaf.Modules, err)
	}
	key, err = keyPEM(private)
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), key, err
}

// IssueTo writes a new certificate and its key to files. It replaces those that are there, so that a process which runs takes the
// new ones with its next connection.
func (ca *CA) IssueTo(certFile, keyFile string, leaf Leaf) error {
	cert, key, err := ca.Issue(leaf)
	if err != nil {
		return err
	}
	return errors.Join(write(keyFile, key, 0o600), write(certFile, cert, 0o644))
}

func uris(modules []string) []*url.URL {
	all := make([]*url.URL, len(modules))
	for i, module := range modules {
		all[i] = rpc.ModuleURI(module)
	}
	return all
}
