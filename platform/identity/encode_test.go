package identity_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kerf/platform/identity"
)

func TestAPrincipalCrossesAsText(t *testing.T) {
	for _, p := range []identity.Principal{
		{Subject: "0199f3a2-0000-7000-8000-000000000001", Roles: []identity.Role{identity.RoleConsumer}},
		{Subject: "auth0|ä, ö; ü=%", Roles: []identity.Role{identity.RoleRestaurant, identity.RoleAdmin}, OwnedIDs: []string{"a,b", "c;d"}},
		identity.Service("orders").For("somebody"),
		{Subject: "no roles"},
	} {
		text := identity.Encode(p)
		for _, c := range text {
			if c < '!' || c > '~' {
				t.Errorf("%q is not printable ASCII", text)
			}
		}
		got, err := identity.Decode(text)
		if diff := cmp.Diff(p, got); err != nil || diff != "" {
			t.Errorf("%q: %v (-sent +arrived):\n%s", text, err, diff)
		}
	}
}

func TestTextThatIsNoPrincipalIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "1", "1;;consumer;;", "2;s;consumer;;", "1;s;king;;", "1;s;consumer,;;", "1;s;;%zz;", "1;s;;;%", "1;%;;;", "1;s;;;;",
		"1;s;" + strings.Repeat("x", 20<<10) + ";;", "1;s;;" + strings.Repeat("a,", 1000) + "a;",
	} {
		if p, err := identity.Decode(text); !errors.Is(err, identity.ErrEncoding) {
			t.Errorf("Decode(%.40q) = %+v, %v", text, p, err)
		}
	}
}

func FuzzDecode(f *testing.F) {
	f.Add(identity.Encode(identity.Service("orders").For("somebody")))
	f.Add("1;auth0%7Cx;restaurant,admin;a,b;")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := identity.Decode(text)
		if err != nil {
			return
		}
		again, err := identity.Decode(identity.Encode(p))
		if diff := cmp.Diff(p, again); err != nil || diff != "" {
			t.Errorf("%q: %v\n%s", text, err, diff)
		}
	})
}

func TestAContextCarriesWhoAsks(t *testing.T) {
	if _, ok := identity.From(context.Background()); ok {
		t.Error("somebody asks in an empty context")
	}
	got, ok := identity.From(identity.With(context.Background(), identity.Service("kitchen")))
	if !ok || got.Subject != "service:kitchen" || !got.Has(identity.RoleService) {
		t.Errorf("From() = %+v, %v", got, ok)
	}
}
