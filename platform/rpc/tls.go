package rpc

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
)

const moduleScheme, moduleHost = "kerf", "module"

// ModuleURI is how a certificate names a module that its process has: a URI in its subject's alternative names, kerf://module/kitchen
// for instance.
func ModuleURI(module string) *url.URL {
	return &url.URL{Scheme: moduleScheme, Host: moduleHost, Path: "/" + module}
}

// modulesOf returns the modules that a certificate names.
func modulesOf(cert *x509.Certificate) []string {
	var modules []string
	for _, uri := range cert.URIs {
		if module, ok := strings.CutPrefix(uri.Path, "/"); ok && uri.Scheme == moduleScheme && uri.Host == moduleHost && module != "" {
			modules = append(modules, module)
		}
	}
	return modules
}

// TLS is who this process is, and whom it trusts: a certificate with its key, and the certificates of authorities, from PEM files. The
// files are read again when they have changed, so that certificates can be replaced while the process runs; connections keep what
// they were made with.
type TLS struct {
	certFile, keyFile, caFile string
	log                       *slog.Logger

	mu      sync.Mutex
	read    string // what the files looked like when current was read
	failed  string // what they looked like when they could not be
	current *identityFiles
}

// identityFiles is what the files held.
type identityFiles struct {
	cert  *tls.Certificate
	roots *x509.CertPool
}

// LoadTLS reads the files. The key must belong to the certificate, the certificate must name at least one module, and it must hold: an
// authority of the file has issued it, and it has begun and not run out. Files that replace these later are not judged so, since one of
// them may be there before the other; whoever is called, or calls, does not believe them then.
func LoadTLS(certFile, keyFile, caFile string, log *slog.Logger) (*TLS, error) {
	t := &TLS{certFile: certFile, keyFile: keyFile, caFile: caFile, log: log}
	t.read = t.look()
	var err error
	if t.current, err = t.load(); err != nil {
		return nil, err
	}
	if err = t.holds(t.current, time.Now()); err != nil {
		return nil, err
	}
	return t, nil
}

// holds tells why nobody who trusts the same authorities would believe the certificate.
func (t *TLS) holds(files *identityFiles, now time.Time) error {
	leaf := files.cert.Leaf
	switch {
	case now.Before(leaf.NotBefore):
		return fmt.Errorf("certificate %s is not valid before %s", t.certFile, leaf.NotBefore.Format(time.RFC3339))
	case now.After(leaf.NotAfter):
		return fmt.Errorf("certificate %s expired on %s", t.certFile, leaf.NotAfter.Format(time.RFC3339))
	}
	between := x509.NewCertPool()
	for _, der := range files.cert.Certificate[1:] {
		cert, err := x509.ParseCertificate(der)
		if err != nil {
			return fmt.Errorf("certificate %s: what follows the first: %w", t.certFile, err)
		}
		between.AddCert(cert)
	}
	_, err := leaf.Verify(x509.VerifyOptions{
		Roots: files.roots, Intermediates: between, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny},
	})
	var unknown x509.UnknownAuthorityError
	switch {
	case errors.As(err, &unknown):
		return fmt.Errorf("certificate %s is not issued by the CA in %s: %w", t.certFile, t.caFile, err)
	case err != nil:
		return fmt.Errorf("certificate %s, by the CA in %s: %w", t.certFile, t.caFile, err)
	}
	return nil
}

// Modules returns the modules that the certificate names.
func (t *TLS) Modules() []string { return modulesOf(t.now().cert.Leaf) }

func (t *TLS) load() (*identityFiles, error) {
	cert, err := tls.LoadX509KeyPair(t.certFile, t.keyFile)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", t.certFile, t.keyFile, err)
	}
	if len(modulesOf(cert.Leaf)) == 0 {
		return nil, fmt.Errorf("certificate %s names no module, such as %v", t.certFile, ModuleURI("kitchen"))
	}
	authorities, err := os.ReadFile(t.caFile)
	if err != nil {
		return nil, fmt.Errorf("certificate authority: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(authorities) {
		return nil, fmt.Errorf("certificate authority %s: no certificate in it", t.caFile)
	}
	return &identityFiles{cert: &cert, roots: roots}, nil
}

// look tells whether files have changed without reading them.
func (t *TLS) look() string {
	var b strings.Builder
	for _, file := range []string{t.certFile, t.keyFile, t.caFile} {
		if info, err := os.Stat(file); err == nil {
			fmt.Fprintf(&b, "%d %s;", info.Size(), info.ModTime().Format(time.RFC3339Nano))
		}
	}
	return b.String()
}

// now returns what the files hold. Files that cannot be used, while they are being replaced for instance, leave what was there.
func (t *TLS) now() *identityFiles {
	t.mu.Lock()
	defer t.mu.Unlock()
	seen := t.look()
	if seen == t.read || seen == t.failed {
		return t.current
	}
	loaded, err := t.load()
	if err != nil {
		t.failed = seen
		t.log.Error("the certificate files have changed and cannot be used; the old ones stay", "error", err)
		return t.current
	}
	t.current, t.read, t.failed = loaded, seen, ""
	t.log.Info("took new certificate files", "expires", loaded.cert.Leaf.NotAfter)
	return t.current
}

// server returns the configuration of the internal port. Whoever shows a certificate shows one that holds; who has none may still look
// at health and metrics, and is refused by each operation.
func (t *TLS) server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) {
			files := t.now()
			return &tls.Config{
				MinVersion:   tls.VersionTLS13,
				Certificates: []tls.Certificate{*files.cert},
				ClientAuth:   tls.VerifyClientCertIfGiven,
				ClientCAs:    files.roots,
				// The first that a client offers too is taken. Clients of gRPC offer HTTP/2 alone; whoever offers both, such as curl or
				// Prometheus, wants what HTTP/1.1 serves, and would find gRPC behind HTTP/2.
				NextProtos: []string{protocolHTTP1, protocolHTTP2},
				// A resumed session would go by authorities that may have gone.
				SessionTicketsDisabled: true,
			}, nil
		},
	}
}

const protocolHTTP2, protocolHTTP1 = "h2", "http/1.1"

// client returns the configuration of calls to a module: the server must prove to be a process that has it.
func (t *TLS) client(module string, protocols ...string) *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		NextProtos: protocols,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			return t.now().cert, nil
		},
		// A server is known by its modules, not by its host, which may be any replica's. VerifyConnection checks the chain instead.
		InsecureSkipVerify: true,
		VerifyConnection:   func(state tls.ConnectionState) error { return t.verify(state, module) },
	}
}

func (t *TLS) verify(state tls.ConnectionState, module string) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("the server has no certificate")
	}
	leaf := state.PeerCertificates[0]
	between := x509.NewCertPool()
	for _, cert := range state.PeerCertificates[1:] {
		between.AddCert(cert)
	}
	options := x509.VerifyOptions{Roots: t.now().roots, Intermediates: between, KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
	if _, err := leaf.Verify(options); err != nil {
		return err
	}
	if modules := modulesOf(leaf); !slices.Contains(modules, module) {
		return fmt.Errorf("the server's certificate names the modules %q, not %s", modules, module)
	}
	return nil
}
