package town

import (
	"context"
	"time"

	"kerf/benchmarks/load"
)

// Journey gives what a load does for each arrival. The error of a journey names the step that failed, and why.
func (t *Town) Journey(mix Mix) load.Journey {
	return func(ctx context.Context, caller *load.Caller, n int, intended time.Time) error { return nil }
}
