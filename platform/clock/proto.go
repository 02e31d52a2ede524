package clock

import (
	"time"

	"google.golang.org/protobuf/types/known/timestamppb"
)

// ToProto returns the message that carries an instant between modules; none for the zero time.
func ToProto(t time.Time) *timestamppb.Timestamp {
	if t.IsZero() {
		return nil
	}
	return timestamppb.New(t)
}

// FromProto returns the instant of a message, cut as every instant is, and the zero time for none.
func FromProto(t *timestamppb.Timestamp) time.Time {
	if t == nil {
		return time.Time{}
	}
	return Cut(t.AsTime())
}
