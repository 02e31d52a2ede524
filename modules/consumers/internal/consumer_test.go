package internal

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"kerf/platform/fault"
	"kerf/platform/geo"
)

func TestOnlyTheTransitionsOfTheTableHappen(t *testing.T) {
	allowed := map[State]map[Trigger]State{
		Active:    {OnEdit: Active, OnSuspend: Suspended, OnClose: Closed},
		Suspended: {OnEdit: Suspended, OnReactivate: Active, OnClose: Closed},
		Closed:    {},
	}
	for _, state := range []State{Active, Suspended, Closed} {
		for _, on := range []Trigger{OnEdit, OnSuspend, OnReactivate, OnClose} {
			c := &Consumer{State: state}
			want, ok := allowed[state][on]
			if c.May(on) != ok {
				t.Errorf("%s may %s = %v", state, on, !ok)
			}
			refusal := map[State]string{Active: "consumer_active", Suspended: "consumer_suspended", Closed: "consumer_closed"}[state]
			err := c.Change(on)
			switch {
			case ok && (err != nil || c.State != want):
				t.Errorf("%s, %s: %s, %v; want %s", state, on, c.State, err, want)
			case !ok && (code(err) != refusal || c.State != state):
				t.Errorf("%s, %s: %s, %v; want %s", state, on, c.State, err, refusal)
			}
			row := slices.ContainsFunc(Transitions[:], func(tr Transition) bool { return tr.From == state && tr.On == on && tr.To == want })
			if row != ok {
				t.Errorf("the table says %v of %s, %s", row, state, on)
			}
		}
	}
}

func TestWhoMayOrder(t *testing.T) {
	for _, c := range []struct {
		state  State
		amount int64
		code   string
	}{
		{Active, 0, ""}, {Active, 50_000, ""}, {Active, 50_001, "over_limit"}, {Suspended, 1, "consumer_suspended"}, {Closed, 1, "consumer_closed"},
	} {
		consumer := &Consumer{State: c.state, OrderLimit: defaultOrderLimit}
		if err := consumer.mayOrder(c.amount); code(err) != c.code {
			t.Errorf("%s, %d: %v, want %q", c.state, c.amount, err, c.code)
		}
	}
}

func TestACardNumberIsNoToken(t *testing.T) {
	for _, text := range []string{
		"4111111111111111", "4111-1111-1111-1111", "4111.1111.1111.1111", "378282246310005", "tok_4111111111111111", "6011000990139424", "4222222222222",
		"x5555555555554444y", "6304000000000000000",
	} {
		if !holdsCardNumber(text) {
			t.Errorf("%q passes for a token", text)
		}
		n := NewPaymentMethod{Token: text}
		if got := fields(n.validate()); !slices.Contains(got, "token") {
			t.Errorf("%q: violations of %v", text, got)
		}
	}
	for _, text := range []string{
		"tok_approve", "4111111111111112", "1234567890", "pm_1NXyz42", "0190b6a2-7c5e-7000-8000-000000000000", "00000000-0000-0000-0000-0000000000001", "tok_12345678901234567890123",
		"411111111111111", "tok_timeout",
	} {
		if holdsCardNumber(text) {
			t.Errorf("%q is taken for a card number", text)
		}
	}
	n := NewPaymentMethod{Token: "tok_approve", Label: "Visa 4111 1111 1111 1111"}
	if got := fields(n.validate()); !slices.Equal(got, []string{"label"}) {
		t.Errorf("violations of %v", got)
	}
	for _, text := range []string{"", " tok", "tök", "tok\n", strings.Repeat("t", 129)} {
		n := NewPaymentMethod{Token: text}
		if got := fields(n.validate()); !slices.Equal(got, []string{"token"}) {
			t.Errorf("%q: violations of %v", text, got)
		}
	}
}

func TestProfilesAreCheckedFieldByField(t *testing.T) {
	fine := Registration{Name: "Anna", Email: "anna@example.org"}
	for _, c := range []struct {
		field  string
		change func(*Registration)
	}{
		{"name", func(r *Registration) { r.Name = "" }}, {"name", func(r *Registration) { r.Name = " Anna" }}, {"name", func(r *Registration) { r.Name = strings.Repeat("é", 101) }},
		{"email", func(r *Registration) { r.Email = "" }}, {"email", func(r *Registration) { r.Email = "anna" }}, {"email", func(r *Registration) { r.Email = "Anna <anna@example.org>" }},
		{"email", func(r *Registration) { r.Email = "a@b.c, d@e.f" }}, {"email", func(r *Registration) { r.Email = strings.Repeat("a", 251) + "@b.c" }},
		{"phone", func(r *Registration) { r.Phone = text("0123456") }}, {"phone", func(r *Registration) { r.Phone = text("+43 1 234") }},
		{"locale", func(r *Registration) { r.Locale = text("") }}, {"locale", func(r *Registration) { r.Locale = text("deutsch-AT-xx-yy") }}, {"locale", func(r *Registration) { r.Locale = text("und") }},
	} {
		r := fine
		c.change(&r)
		if _, err := r.register("id"); !slices.Equal(fields(err), []string{c.field}) {
			t.Errorf("%+v: %v, want a violation of %s", r, err, c.field)
		}
	}
	c, err := fine.register("id")
	if err != nil || c.Locale != "en" || c.State != Active || c.OrderLimit != 50_000 || c.Version != 1 {
		t.Errorf("%+v, %v", c, err)
	}
	fine.Locale, fine.Phone, fine.Name = text("de-at"), text("+4312345678"), strings.Repeat("é", 100)
	if c, err := fine.register("id"); err != nil || c.Locale != "de-AT" {
		t.Errorf("%+v, %v", c, err)
	}
}

func TestAddressesAreCheckedFieldByField(t *testing.T) {
	var fine AddressDetails
	if err := json.Unmarshal([]byte(addressBody), &fine); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		field  string
		change func(*AddressDetails)
	}{
		{"label", func(d *AddressDetails) { d.Label = strings.Repeat("x", 51) }}, {"street", func(d *AddressDetails) { d.Street = "" }}, {"city", func(d *AddressDetails) { d.City = "a\tb" }},
		{"postal_code", func(d *AddressDetails) { d.PostalCode = strings.Repeat("1", 21) }}, {"country", func(d *AddressDetails) { d.Country = "at" }},
		{"country", func(d *AddressDetails) { d.Country = "AUT" }}, {"country", func(d *AddressDetails) { d.Country = "XX" }}, {"country", func(d *AddressDetails) { d.Country = "" }},
		{"position", func(d *AddressDetails) { d.Position = nil }}, {"position", func(d *AddressDetails) { d.Position = &geo.Position{Latitude: 90.5} }},
	} {
		d := fine
		c.change(&d)
		if err := d.write(&Address{}); !slices.Equal(fields(err), []string{c.field}) {
			t.Errorf("%+v: %v, want a violation of %s", d, err, c.field)
		}
	}
	var a Address
	if err := fine.write(&a); err != nil || a.Street != "Ring 1" || a.Position.Longitude != 16.37 {
		t.Errorf("%+v, %v", a, err)
	}
}

func text(s string) *string { return &s }

func code(err error) string {
	if err == nil {
		return ""
	}
	return fault.As(err).Code
}

func fields(err error) []string {
	var names []string
	if f := fault.As(err); f != nil {
		for _, v := range f.Violations {
			names = append(names, v.Field)
		}
	}
	return names
}
