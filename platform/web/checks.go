package web

import "kerf/platform/fault"

// Checks collects everything that is wrong with a request, so that one answer names it all. The zero value is ready.
type Checks struct{ violations []fault.Violation }

// That notes a violation of a field unless ok, and returns ok, for checks that make sense only after others.
func (v *Checks) That(ok bool, field, description string) bool {
	if !ok {
		v.violations = append(v.violations, fault.Violation{Field: field, Description: description})
	}
	return ok
}

// Note takes over the violations of an Invalid error, of ids.Parse for instance; other errors it notes under the field.
func (v *Checks) Note(field string, err error) {
	if err == nil {
		return
	}
	f := fault.As(err)
	if f.Kind == fault.KindInvalid && len(f.Violations) > 0 {
		v.violations = append(v.violations, f.Violations...)
		return
	}
	v.That(false, field, "is not acceptable")
}

// Err returns Invalid with all violations, or nil if there are none.
func (v *Checks) Err() error {
	if len(v.violations) == 0 {
		return nil
	}
	return fault.Invalid(v.violations...)
}
