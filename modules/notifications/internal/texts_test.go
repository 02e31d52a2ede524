package internal

import (
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"kerf/platform/money"
)

// Every locale has every text and every reason, and each can be written whatever of its facts is there.
func TestEveryLocaleSaysEverything(t *testing.T) {
	texts := parseTexts()
	var names []string
	for i, templates := range texts.templates {
		has := map[string]bool{}
		for _, each := range templates.Templates() {
			has[each.Name()] = true
		}
		delete(has, locales[i].String()+".tmpl")
		if all := slices.Sorted(maps.Keys(has)); names == nil {
			names = all
		} else if !slices.Equal(names, all) {
			t.Errorf("%v has %v, want %v", locales[i], all, names)
		}
	}
	for _, locale := range locales {
		for _, name := range names {
			to, about, _ := strings.Cut(name, "/")
			if to == "reason" || strings.HasPrefix(about, "reason/") || about == "" {
				continue
			}
			for _, facts := range []Facts{{}, {"no_courier", money.Money{Amount: 5, Currency: "EUR"}, noon.Add(time.Minute)}} {
				got, err := texts.render(locale.String(), audience(to), about, facts, noon)
				if err != nil || got.title == "" || got.body == "" || got.locale != locale.String() ||
					strings.Contains(got.body, "\n") || strings.TrimSpace(got.body) != got.body {
					t.Errorf("%s of %+v in %v: %+v, %v", name, facts, locale, got, err)
				}
			}
		}
	}
}

func TestTheNearestLocaleIsTaken(t *testing.T) {
	texts := parseTexts()
	for wanted, want := range map[string]string{
		"de": "de", "de-AT": "de", "de-CH-1996": "de", "gsw": "de", "en": "en", "en-GB": "en", "fr": "en", "": "en", "no such tag": "en",
	} {
		got, err := texts.render(wanted, toConsumer, "kerf.orders.OrderApproved", Facts{}, noon)
		if err != nil || got.locale != want {
			t.Errorf("%q is told in %s, want %s (%v)", wanted, got.locale, want, err)
		}
	}
}

func TestWhatThereIsNoTextForIsAnError(t *testing.T) {
	if _, err := parseTexts().render("en", toCourier, "kerf.orders.OrderPlaced", Facts{}, noon); err == nil {
		t.Error("a text was made up")
	}
}

func TestAmountsHaveTheDecimalsOfTheirCurrency(t *testing.T) {
	for want, m := range map[string]money.Money{
		"12.50 EUR": {Amount: 1250, Currency: "EUR"}, "0.05 USD": {Amount: 5, Currency: "USD"}, "1250 JPY": {Amount: 1250, Currency: "JPY"},
		"1.250 KWD": {Amount: 1250, Currency: "KWD"}, "-0.05 EUR": {Amount: -5, Currency: "EUR"},
	} {
		if got := spell(m, "."); got != want {
			t.Errorf("%v is spelled %q, want %q", m, got, want)
		}
	}
}
