package fault

import (
	"google.golang.org/protobuf/types/known/durationpb"

	"kerf/platform/kerfpb"
)

// ToProto returns the Detail that carries the fault to another process, without its cause. Nil becomes nil.
func ToProto(e *Error) *kerfpb.Detail {
	if e == nil {
		return nil
	}
	d := &kerfpb.Detail{Kind: kerfpb.Kind(e.Kind), Code: e.Code, Message: e.Message}
	for _, v := range e.Violations {
		d.Violations = append(d.Violations, &kerfpb.Violation{Field: v.Field, Description: v.Description})
	}
	if e.RetryAfter > 0 {
		d.RetryAfter = durationpb.New(e.RetryAfter)
	}
	return d
}

// FromProto returns the fault that a Detail carries, and nil for nil. A kind that this build does not know, or none, becomes
// KindUnknown, which is safe: the caller asks again.
func FromProto(d *kerfpb.Detail) *Error {
	if d == nil {
		return nil
	}
	e := &Error{Kind: KindUnknown, Code: d.GetCode(), Message: d.GetMessage()}
	if k := d.GetKind(); k > 0 && int(k) < len(kinds) {
		e.Kind = Kind(k)
	}
	for _, v := range d.GetViolations() {
		e.Violations = append(e.Violations, Violation{Field: v.GetField(), Description: v.GetDescription()})
	}
	if r := d.GetRetryAfter(); r != nil {
		e.RetryAfter = r.AsDuration()
	}
	return e
}
