package rpc

import (
	"net"
	"testing"

	"kerf/platform/identity"
)

// Tests have no second machine, so who comes from there is made here.

func TestOnlyAddressesOfThisMachineAreLocal(t *testing.T) {
	for _, row := range []struct {
		address net.Addr
		want    bool
	}{
		{&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1)}, true},
		{&net.TCPAddr{IP: net.IPv6loopback}, true},
		{&net.UnixAddr{Name: "socket"}, true},
		{&net.TCPAddr{IP: net.IPv4(10, 0, 0, 7)}, false},
		{&net.TCPAddr{IP: net.IPv4zero}, false},
		{nil, false},
	} {
		if got := isLocal(row.address); got != row.want {
			t.Errorf("isLocal(%v) = %v", row.address, got)
		}
	}
}

func TestWithoutCertificatesOnlyThisMachineIsServed(t *testing.T) {
	never := func([]string, string, string) bool { return false }
	for name, row := range map[string]struct {
		caller caller
		code   string // empty is served
	}{
		"this machine":                 {caller{local: true}, ""},
		"another machine":              {caller{}, "caller_not_allowed"},
		"TLS without a certificate":    {caller{encrypted: true, local: true}, "certificate_required"},
		"a certificate without rights": {caller{encrypted: true, modules: []string{"orders"}}, "caller_not_allowed"},
	} {
		f := row.caller.refuse(never, "kitchen", "Audit")
		if row.code == "" && f == nil {
			continue
		}
		if f == nil || f.Code != row.code {
			t.Errorf("%s: %v, want %q", name, f, row.code)
		}
	}
	if (&caller{}).mayBe(identity.Service("orders"), nil) {
		t.Error("another machine is believed without a certificate")
	}
}

func TestWhatIsSaidOfACallIsReadAsItWasWritten(t *testing.T) {
	for words, want := range map[string]about{
		"":                      {},
		"kitchen":               {module: "kitchen"},
		"kitchen - - -":         {module: "kitchen"},
		"kitchen p c%C3%B6 e+1": {"kitchen", "p", "cö", "e 1"},
		"kitchen p %zz x y z":   {"kitchen", "p", "", "x"},
	} {
		if got := parseAbout(words); got != want {
			t.Errorf("%q says %+v, want %+v", words, got, want)
		}
	}
}

func TestPrincipalsAreRememberedAndNotTooMany(t *testing.T) {
	var known principals
	encoded := identity.Encode(identity.Service("orders"))
	for range 2 {
		if p, err := known.decode(encoded); err != nil || p.Subject != "service:orders" {
			t.Fatalf("decoded %v, %v", p, err)
		}
	}
	if _, err := known.decode("nonsense"); err == nil {
		t.Error("nonsense was decoded")
	}
	for i := range 3 * mostPrincipals {
		p := identity.Principal{Subject: string(rune('a'+i%26)) + string(rune('0'+i%10)) + string(rune(0x4e00+i))}
		if _, err := known.decode(identity.Encode(p)); err != nil {
			t.Fatal(err)
		}
	}
	n := 0
	known.known.Range(func(any, any) bool { n++; return true })
	if n > mostPrincipals {
		t.Errorf("%d principals are remembered", n)
	}
}
