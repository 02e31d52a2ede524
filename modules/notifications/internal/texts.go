package internal

import (
	"embed"
	"fmt"
	"math"
	"strings"
	"text/template"
	"time"

	"golang.org/x/text/currency"
	"golang.org/x/text/language"

	"kerf/platform/money"
)

//go:embed texts/*.tmpl
var textFiles embed.FS

// locales are those that there are texts in; who wants another gets the first.
var locales = []language.Tag{language.English, language.German}

// texts are the templates of all locales, parsed.
type texts struct {
	matcher   language.Matcher
	templates []*template.Template // by index in locales
}

func parseTexts() *texts {
	t := &texts{matcher: language.NewMatcher(locales)}
	for _, locale := range locales {
		t.templates = append(t.templates, template.Must(template.ParseFS(textFiles, "texts/"+locale.String()+".tmpl")))
	}
	return t
}

// Facts are what a text is made from, beside what it is about.
type Facts struct {
	Reason  string // a code
	Amount  money.Money
	ReadyBy time.Time
}

// text is a notification as it is read.
type text struct{ locale, title, body string }

// blanks are what templates fill in.
type blanks struct {
	Reason  string
	Charge  string
	Minutes int
}

// render writes a text in the locale nearest to the one that is wanted (BCP 47). Times are told as minutes from when it happened, since
// nobody here knows in which time zone the reader is.
func (t *texts) render(wanted string, to audience, about string, facts Facts, happened time.Time) (text, error) {
	_, index, _ := t.matcher.Match(language.Make(wanted))
	templates, locale := t.templates[index], locales[index].String()
	b := blanks{}
	for _, name := range []string{string(to) + "/reason/" + facts.Reason, "reason/" + facts.Reason} {
		if reason := templates.Lookup(name); reason != nil {
			b.Reason = run(reason, nil)
			break
		}
	}
	if facts.Amount.Amount != 0 {
		b.Charge = spell(facts.Amount, run(templates.Lookup("decimal"), nil))
	}
	if facts.ReadyBy.After(happened) {
		b.Minutes = int(math.Ceil(facts.ReadyBy.Sub(happened).Minutes()))
	}
	name := string(to) + "/" + about
	found := templates.Lookup(name)
	if found == nil {
		return text{}, fmt.Errorf("there is no text %s in %s", name, locale)
	}
	title, body, _ := strings.Cut(run(found, b), "\n")
	return text{locale: locale, title: title, body: body}, nil
}

// run executes a template into a string. It cannot fail: the data is ours, and a test runs every template.
func run(t *template.Template, data any) string {
	var b strings.Builder
	if err := t.Execute(&b, data); err != nil {
		panic(fmt.Sprintf("text %s: %v", t.Name(), err))
	}
	return b.String()
}

// spell writes an amount with its currency's decimals, such as 12.50 EUR.
func spell(m money.Money, decimal string) string {
	digits := 2
	if unit, err := currency.ParseISO(m.Currency); err == nil {
		digits, _ = currency.Standard.Rounding(unit)
	}
	sign, amount := "", m.Amount
	if amount < 0 {
		sign, amount = "-", -amount
	}
	if digits == 0 {
		return fmt.Sprintf("%s%d %s", sign, amount, m.Currency)
	}
	unit := int64(math.Pow10(digits))
	return fmt.Sprintf("%s%d%s%0*d %s", sign, amount/unit, decimal, digits, amount%unit, m.Currency)
}
