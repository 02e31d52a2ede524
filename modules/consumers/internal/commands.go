package internal

import (
	"fmt"
	"net/mail"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/text/language"

	"kerf/platform/fault"
	"kerf/platform/geo"
)

// The channels that can be muted.
var channels = []string{"in_app", "email"}

// Registration is the command Register.
type Registration struct {
	Name   string  `json:"name"`
	Email  string  `json:"email"`
	Locale *string `json:"locale"`
	Phone  *string `json:"phone"`
}

// Profile is the command UpdateProfile; what is left out stays, and an empty phone is none.
type Profile struct {
	Name   *string `json:"name"`
	Email  *string `json:"email"`
	Locale *string `json:"locale"`
	Phone  *string `json:"phone"`
}

// register makes a consumer of an id. Invalid, naming each field.
func (r *Registration) register(id string) (*Consumer, error) {
	c := &Consumer{ID: id, Version: 1, State: Active, Locale: "en", MutedChannels: Channels{}, OrderLimit: defaultOrderLimit}
	p := Profile{Name: &r.Name, Email: &r.Email, Locale: r.Locale, Phone: r.Phone}
	return c, p.update(c)
}

// profile is what UpdateProfile may change, for comparison.
func (c *Consumer) profile() [4]string { return [4]string{c.Name, c.Email, c.Locale, c.Phone} }

func (p *Profile) update(c *Consumer) error {
	var v fault.Checks
	if p.Name != nil {
		v.Text(*p.Name, "name", 1, 100)
		c.Name = *p.Name
	}
	if p.Email != nil {
		v.That(validEmail(*p.Email), "email", "must be an e-mail address such as anna@example.org")
		c.Email = *p.Email
	}
	if p.Phone != nil {
		v.That(*p.Phone == "" || phone.MatchString(*p.Phone), "phone", "must be a number with its country code, such as +4312345678")
		c.Phone = *p.Phone
	}
	if p.Locale != nil {
		tag, err := language.Parse(*p.Locale)
		v.That(err == nil && tag != language.Und && len(*p.Locale) <= 35, "locale", "must be a BCP 47 tag such as de-AT")
		c.Locale = tag.String()
	}
	return v.Err()
}

var phone = regexp.MustCompile(`^\+[1-9][0-9]{6,14}$`) // E.164

// validEmail takes one bare address, as RFC 5322 has it, and of the length that RFC 5321 allows.
func validEmail(text string) bool {
	a, err := mail.ParseAddress(text)
	return err == nil && a.Name == "" && a.Address == text && len(text) <= 254
}

// AddressDetails is what AddAddress and UpdateAddress state.
type AddressDetails struct {
	Label      string        `json:"label"`
	Street     string        `json:"street"`
	City       string        `json:"city"`
	PostalCode string        `json:"postal_code"`
	Country    string        `json:"country"`
	Position   *geo.Position `json:"position"`
}

// write puts the details into an address. Invalid, naming each field.
func (d *AddressDetails) write(a *Address) error {
	var v fault.Checks
	v.Text(d.Label, "label", 0, 50)
	v.Text(d.Street, "street", 1, 200)
	v.Text(d.City, "city", 1, 100)
	v.Text(d.PostalCode, "postal_code", 0, 20)
	v.That(validCountry(d.Country), "country", "must be an ISO 3166-1 alpha-2 code such as AT")
	d.Position.Check(&v, "position")
	if err := v.Err(); err != nil {
		return err
	}
	a.Label, a.Street, a.City, a.PostalCode, a.Country, a.Position = d.Label, d.Street, d.City, d.PostalCode, d.Country, *d.Position
	return nil
}

func validCountry(code string) bool {
	region, err := language.ParseRegion(code)
	return err == nil && len(code) == 2 && region.IsCountry() && region.String() == code
}

// NewPaymentMethod is the command AddPaymentMethod.
type NewPaymentMethod struct {
	Token string `json:"token"`
	Label string `json:"label"`
}

func (n *NewPaymentMethod) validate() error {
	var v fault.Checks
	v.That(token.MatchString(n.Token), "token", "must be 1 to 128 visible ASCII characters")
	v.That(!holdsCardNumber(n.Token), "token", "must be the provider's token, never a card number")
	v.Text(n.Label, "label", 0, 50)
	v.That(!holdsCardNumber(separators.Replace(n.Label)), "label", "must not hold a card number")
	return v.Err()
}

var token = regexp.MustCompile(`^[!-~]{1,128}$`)

// separators are what people put between the groups of a card number.
var separators = strings.NewReplacer(" ", "", "-", "", ".", "")

// holdsCardNumber tells whether a text is a card number with its usual separators, or holds one in a single run of digits: 13 to 19
// digits with a valid check digit (Luhn). Runs across separators are not looked for within other text: an id in groups of digits is no card.
func holdsCardNumber(text string) bool {
	if isCardNumber(separators.Replace(text)) {
		return true
	}
	return slices.ContainsFunc(strings.FieldsFunc(text, func(c rune) bool { return c < '0' || c > '9' }), isCardNumber)
}

func isCardNumber(digits string) bool {
	if len(digits) < 13 || len(digits) > 19 {
		return false
	}
	sum := 0
	for i := range len(digits) {
		d := int(digits[len(digits)-1-i]) - '0'
		if d < 0 || d > 9 {
			return false
		}
		if i%2 == 1 {
			if d *= 2; d > 9 {
				d -= 9
			}
		}
		sum += d
	}
	return sum%10 == 0
}

// Preferences is the command SetNotificationPreferences.
type Preferences struct {
	MutedChannels *Channels `json:"muted_channels"`
}

func (p *Preferences) validate() error {
	var v fault.Checks
	v.That(p.MutedChannels != nil, "muted_channels", "is missing")
	if p.MutedChannels != nil && v.That(len(*p.MutedChannels) <= len(channels), "muted_channels", "must be at most %d", len(channels)) {
		seen := map[string]bool{}
		for i, name := range *p.MutedChannels {
			v.That(slices.Contains(channels, name) && !seen[name], fmt.Sprintf("muted_channels[%d]", i), "must be one of in_app and email, once each")
			seen[name] = true
		}
	}
	return v.Err()
}

// Suspension is the command Suspend.
type Suspension struct {
	Reason string `json:"reason"`
}

func (s *Suspension) validate() error {
	var v fault.Checks
	v.Text(s.Reason, "reason", 1, 200)
	return v.Err()
}
