package rpc_test

import (
	"crypto/tls"
	"crypto/x509"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/rpc"
	"kerf/platform/rpc/localca"
)

func newCA(t testing.TB) *localca.CA {
	t.Helper()
	ca, err := localca.New()
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// files are where the certificate of a process is.
type files struct{ cert, key, ca string }

// certify writes the files of a process: a certificate of one authority, and the authority that it trusts itself.
func certify(t testing.TB, by, trusts *localca.CA, leaf localca.Leaf) files {
	t.Helper()
	dir := t.TempDir()
	f := files{filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "ca.pem")}
	if err := by.IssueTo(f.cert, f.key, leaf); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(f.ca, trusts.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	return f
}

func (f files) load(t testing.TB, log *journal) *rpc.TLS {
	t.Helper()
	loaded, err := rpc.LoadTLS(f.cert, f.key, f.ca, logTo(log))
	if err != nil {
		t.Fatal(err)
	}
	return loaded
}

// certified returns who a process is that has modules.
func certified(t testing.TB, ca *localca.CA, modules ...string) *rpc.TLS {
	t.Helper()
	return certify(t, ca, ca, localca.Leaf{Modules: modules}).load(t, &journal{})
}

// turned returns who a process is whose good certificate was replaced, while it ran, by one that its peers do not believe.
func turned(t testing.TB, trusts, by *localca.CA, leaf localca.Leaf) *rpc.TLS {
	t.Helper()
	f := certify(t, trusts, trusts, localca.Leaf{Modules: []string{"restaurants"}})
	loaded := f.load(t, &journal{})
	if err := by.IssueTo(f.cert, f.key, leaf); err != nil {
		t.Fatal(err)
	}
	if got := loaded.Modules(); !slices.Equal(got, leaf.Modules) {
		t.Fatalf("the process is still %v", got)
	}
	return loaded
}

func secured(by *rpc.TLS) func(*process) { return func(p *process) { p.tls = by } }

func TestBothSidesProveWhoTheyAre(t *testing.T) {
	ca, foreign := newCA(t), newCA(t)
	past := localca.Leaf{Modules: []string{"orders"}, NotBefore: time.Now().Add(-2 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}
	for _, row := range []struct {
		name           string
		server, client *rpc.TLS
		ok             bool
	}{
		{"both of one authority", certified(t, ca, "kitchen"), certified(t, ca, "orders"), true},
		{"processes of several modules", certified(t, ca, "delivery", "kitchen"), certified(t, ca, "orders", "tracking"), true},
		{"a server without the module", certified(t, ca, "delivery"), certified(t, ca, "orders"), false},
		{"a server of another authority", turned(t, ca, foreign, localca.Leaf{Modules: []string{"kitchen"}}), certified(t, ca, "orders"), false},
		{"a client of another authority", certified(t, ca, "kitchen"), turned(t, ca, foreign, localca.Leaf{Modules: []string{"orders"}}), false},
		{"a client whose certificate has run out", certified(t, ca, "kitchen"), turned(t, ca, ca, past), false},
		{"a server whose certificate has run out", turned(t, ca, ca, localca.Leaf{Modules: []string{"kitchen"}, NotBefore: past.NotBefore, NotAfter: past.NotAfter}), certified(t, ca, "orders"), false},
		{"a client without TLS", certified(t, ca, "kitchen"), nil, false},
		{"a server without TLS", nil, certified(t, ca, "orders"), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			k := &kitchen{}
			p := newProcess(t, k, secured(row.server))
			everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
				c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{p.address}, Protocol: protocol, TLS: row.client})
				name, err := ask(t.Context(), c)
				if row.ok {
					if err != nil || name != "kitchen" {
						t.Errorf("answered %q, %v", name, err)
					}
					return
				}
				if f := fault.As(err); f == nil || fault.Definite(err) {
					t.Errorf("the call ended with %v", err)
				}
			})
			if got := k.calls.Load(); !row.ok && got != 0 {
				t.Errorf("the owner has seen %d calls", got)
			}
		})
	}
}

func TestACallerWithoutTheRightIsRefused(t *testing.T) {
	ca, log := newCA(t), &journal{}
	k := &kitchen{}
	p := newProcess(t, k, secured(certified(t, ca, "kitchen")), func(p *process) {
		p.config.Log = logTo(log)
		p.config.Allow = func(callers []string, module, operation string) bool {
			return module == "kitchen" && (operation == "Audit" && slices.Contains(callers, "gateway") || slices.Contains(callers, "orders"))
		}
	})
	everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
		from := func(modules ...string) *rpc.Client {
			return client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{p.address}, Protocol: protocol, TLS: certified(t, ca, modules...)})
		}
		for _, modules := range [][]string{{"gateway"}, {"orders"}, {"tracking", "gateway"}} {
			if _, err := ask(t.Context(), from(modules...)); err != nil {
				t.Errorf("%v: %v", modules, err)
			}
		}
		_, err := ask(t.Context(), from("tracking"))
		coded(t, err, fault.KindForbidden, "caller_not_allowed")
		if !fault.Definite(err) {
			t.Error("the refusal is not definite")
		}
		calls := k.calls.Load()
		coded(t, command(t.Context(), from("gateway"), "key"), fault.KindForbidden, "caller_not_allowed")
		if k.calls.Load() != calls {
			t.Error("the owner has seen the call")
		}
	})
	if text := log.String(); !strings.Contains(text, "refused a caller") || !strings.Contains(text, "caller=[tracking]") || !strings.Contains(text, "operation=Audit") {
		t.Errorf("the log holds %s", text)
	}
}

func TestAPrincipalIsBelievedFromWhoMaySendIt(t *testing.T) {
	ca := newCA(t)
	p := newProcess(t, &kitchen{}, secured(certified(t, ca, "kitchen")), func(p *process) { p.config.SpeaksForUsers = []string{"gateway", "orders"} })
	user := identity.Principal{Subject: "3c6e8f2a", Roles: []identity.Role{identity.RoleConsumer}}
	for _, row := range []struct {
		name    string
		caller  []string
		subject identity.Principal
		ok      bool
	}{
		{"a module for itself", []string{"tracking"}, identity.Service("tracking"), true},
		{"a module on behalf of a user", []string{"tracking"}, identity.Service("tracking").For("3c6e8f2a"), true},
		{"a module for a neighbour", []string{"tracking", "notifications"}, identity.Service("notifications"), true},
		{"a module for another", []string{"tracking"}, identity.Service("orders"), false},
		{"one that lets users in, for another module", []string{"gateway"}, identity.Service("orders"), false},
		{"one that lets users in, for a user", []string{"gateway"}, user, true},
		{"one in the same process", []string{"tracking", "orders"}, user, true},
		{"another, for a user", []string{"tracking"}, user, false},
		{"a module that makes itself an administrator", []string{"tracking"},
			identity.Principal{Subject: "service:tracking", Roles: []identity.Role{identity.RoleService, identity.RoleAdmin}}, false},
		{"a user with a module's role", []string{"gateway"}, identity.Principal{Subject: "gateway", Roles: []identity.Role{identity.RoleService}}, false},
	} {
		everyProtocol(t, func(t *testing.T, protocol rpc.Protocol) {
			t.Run(row.name, func(t *testing.T) {
				c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{p.address}, Protocol: protocol, TLS: certified(t, ca, row.caller...)})
				_, err := ask(identity.With(t.Context(), row.subject), c)
				if row.ok && err != nil {
					t.Error(err)
				}
				if !row.ok {
					coded(t, err, fault.KindUnauthenticated, "untrusted_peer")
				}
			})
		})
	}
}

func TestHealthNeedsNoCertificateAndOperationsDo(t *testing.T) {
	ca := newCA(t)
	p := newProcess(t, &kitchen{}, secured(certified(t, ca, "kitchen")), func(p *process) { p.http = http.HandlerFunc(greeting) })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(ca.PEM())
	web := &http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, InsecureSkipVerify: true}}}
	defer web.CloseIdleConnections()
	res, err := web.Get("https://" + p.address + "/livez")
	if err != nil {
		t.Fatal(err)
	}
	if body, _ := io.ReadAll(res.Body); !strings.HasPrefix(string(body), "HTTP/1.1 GET /livez") {
		t.Errorf("health answered %q", body)
	}
	_ = res.Body.Close()
	res, err = web.Post("https://"+p.address+auditPath, "application/json", strings.NewReader("{}"))
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if body, _ := io.ReadAll(res.Body); res.StatusCode != http.StatusUnauthorized || !strings.Contains(string(body), "certificate_required") {
		t.Errorf("an operation answered %d %s", res.StatusCode, body)
	}
}

// curl, Prometheus and Go's client offer HTTP/2 and HTTP/1.1, and are to find what is served over HTTP/1.1.
func TestAnOrdinaryHTTPSClientNeedNotChooseItsProtocol(t *testing.T) {
	ca := newCA(t)
	p := newProcess(t, &kitchen{}, secured(certified(t, ca, "kitchen")), func(p *process) { p.http = http.HandlerFunc(greeting) })
	f := certify(t, ca, ca, localca.Leaf{Modules: []string{"orders"}})
	pair, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		t.Fatal(err)
	}
	web := &http.Client{Transport: &http.Transport{
		ForceAttemptHTTP2: true,
		TLSClientConfig:   &tls.Config{Certificates: []tls.Certificate{pair}, InsecureSkipVerify: true},
	}}
	defer web.CloseIdleConnections()
	for _, row := range []struct{ path, body, want string }{
		{"/livez", "", "HTTP/1.1 POST /livez"},
		{auditPath, "{}", `"module":`},
	} {
		res, err := web.Post("https://"+p.address+row.path, "application/json", strings.NewReader(row.body))
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(res.Body)
		_ = res.Body.Close()
		if res.StatusCode != http.StatusOK || !strings.Contains(string(body), row.want) {
			t.Errorf("%s answered %d %s", row.path, res.StatusCode, body)
		}
	}
	c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{p.address}, Protocol: rpc.GRPC, TLS: f.load(t, &journal{})})
	if name, err := ask(t.Context(), c); err != nil || name != "kitchen" {
		t.Errorf("gRPC answered %q, %v", name, err)
	}
}

func TestCertificatesAreReplacedWhileTheProcessRuns(t *testing.T) {
	ca, next := newCA(t), newCA(t)
	log := &journal{}
	server, caller := certify(t, ca, ca, localca.Leaf{Modules: []string{"kitchen"}}), certify(t, ca, ca, localca.Leaf{Modules: []string{"orders"}})
	serverTLS, clientTLS := server.load(t, log), caller.load(t, log)
	p := newProcess(t, &kitchen{}, secured(serverTLS))
	call := func() error { // on a connection of its own
		c := client(t, rpc.ClientConfig{Module: "kitchen", Addresses: []string{p.address}, Protocol: rpc.Connect, TLS: clientTLS})
		_, err := ask(t.Context(), c)
		return err
	}
	if err := call(); err != nil {
		t.Fatal(err)
	}
	// The client moves to another authority first: neither side believes the other.
	if err := next.IssueTo(caller.cert, caller.key, localca.Leaf{Modules: []string{"orders", "tracking"}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(caller.ca, next.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := call(); fault.KindOf(err) != fault.KindUnavailable {
		t.Errorf("with another authority on one side, the call ended with %v", err)
	}
	if got := clientTLS.Modules(); !slices.Equal(got, []string{"orders", "tracking"}) {
		t.Errorf("the client is %v", got)
	}
	// A file that is half there changes nothing, and is told once.
	if err := os.WriteFile(server.cert, []byte("-----BEGIN"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got := serverTLS.Modules(); !slices.Equal(got, []string{"kitchen"}) {
			t.Errorf("the server is %v", got)
		}
	}
	if n := strings.Count(log.String(), "cannot be used"); n != 1 {
		t.Errorf("the file that cannot be used was told %d times", n)
	}
	if err := next.IssueTo(server.cert, server.key, localca.Leaf{Modules: []string{"kitchen"}}); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(server.ca, next.PEM(), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := call(); err != nil {
		t.Errorf("with the new authority on both sides, the call ended with %v", err)
	}
}

func TestFilesThatCannotBeUsedAreRefused(t *testing.T) {
	ca, foreign := newCA(t), newCA(t)
	kitchen := []string{"kitchen"}
	good, other := certify(t, ca, ca, localca.Leaf{Modules: kitchen}), certify(t, ca, ca, localca.Leaf{Modules: kitchen})
	from, to := time.Date(2020, 5, 4, 3, 2, 1, 0, time.UTC), time.Date(2999, 5, 4, 3, 2, 1, 0, time.UTC)
	for name, row := range map[string]struct {
		files
		want string
	}{
		"no certificate":                {files{filepath.Join(t.TempDir(), "none"), good.key, good.ca}, "no such file"},
		"another certificate's key":     {files{good.cert, other.key, good.ca}, "private key does not match public key"},
		"no authority":                  {files{good.cert, good.key, good.key}, "no certificate in it"},
		"a certificate without modules": {certify(t, ca, ca, localca.Leaf{Hosts: []string{"localhost"}}), "names no module"},
		"another authority's":           {certify(t, foreign, ca, localca.Leaf{Modules: kitchen}), "is not issued by the CA in "},
		"one that has expired": {certify(t, ca, ca, localca.Leaf{Modules: kitchen, NotBefore: from, NotAfter: from.AddDate(1, 0, 0)}),
			"expired on 2021-05-04T03:02:01Z"},
		"one of the future": {certify(t, ca, ca, localca.Leaf{Modules: kitchen, NotBefore: to, NotAfter: to.AddDate(1, 0, 0)}),
			"is not valid before 2999-05-04T03:02:01Z"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rpc.LoadTLS(row.cert, row.key, row.ca, logTo(&journal{}))
			if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "\n") {
				t.Errorf("they ended with %v", err)
			}
		})
	}
}
