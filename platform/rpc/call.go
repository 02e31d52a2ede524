package rpc

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/failsafe-go/failsafe-go"
	"github.com/failsafe-go/failsafe-go/circuitbreaker"
	"github.com/failsafe-go/failsafe-go/retrypolicy"
	"google.golang.org/protobuf/proto"

	"kerf/platform/fault"
)

// call is one call on its way, with all its attempts.
type call struct {
	client     *Client
	operation  Operation
	req, res   proto.Message
	beside     []string
	deadline   time.Time
	repeatable bool

	attempts int
	start    time.Time // of the attempt
	last     *replica
	delay    time.Duration // before the next attempt

	// How the last attempt ended.
	fault    *fault.Error // nil is success
	answered bool         // the fault is the owner's own answer
	sign     sign
	nowhere  bool // no replica is connected, so that another attempt would end as fast
}

// sign is what an attempt says about the health of what was called.
type sign uint8

const (
	alive sign = iota
	dead
	unclear // the caller had no time or no patience, or nothing was tried
)

// run makes attempts until one has a result, or no more are due.
func (k *call) run(ctx context.Context) {
	if k.attempt(ctx); !k.again() {
		return
	}
	// Only calls that have failed pay for the machinery of retries; it is handed the failure as its first attempt.
	handed := false
	_, _ = k.client.retrying.WithContext(ctx).Get(func() (*call, error) {
		if handed {
			k.client.counts.retries.Add(1)
			k.attempt(ctx)
		}
		handed = true
		return k, nil
	})
}

// newRetries returns what repeats calls whose again is true.
func (c *Client) newRetries() failsafe.Executor[*call] {
	// again was asked about the first attempt already, and has drawn on the budget and the time for it.
	return failsafe.With(retrypolicy.NewBuilder[*call]().
		HandleIf(func(k *call, _ error) bool { return k.attempts == 1 || k.again() }).
		WithDelayFunc(func(e failsafe.ExecutionAttempt[*call]) time.Duration { return e.LastResult().delay }).
		WithMaxAttempts(c.policy.Attempts).
		ReturnLastFailure().
		Build())
}

// again tells whether another attempt is due, and after which delay; if so, it draws on the budget.
func (k *call) again() bool {
	policy := &k.client.policy
	if k.fault == nil || !k.repeatable || k.nowhere || k.attempts >= policy.Attempts {
		return false
	}
	switch k.fault.Kind {
	case fault.KindUnavailable:
	case fault.KindDeadline: // of the attempt
	default:
		return false // an answer, or nothing that another attempt would mend
	}
	k.delay = rand.N(min(policy.Backoff.First<<(k.attempts-1), policy.Backoff.Longest))
	if k.answered {
		k.delay = max(k.delay, k.fault.RetryAfter)
		if k.fault.RetryAfter > policy.Backoff.Longest {
			return false // whoever calls us may ask again later; to wait for it here holds up what is behind
		}
	}
	return time.Until(k.deadline) > k.delay+leastTime && k.client.budget.withdraw()
}

// leastTime is how much time must be left for an attempt to be worth it.
const leastTime = 2 * time.Millisecond

// attempt makes one attempt at one replica.
func (k *call) attempt(ctx context.Context) {
	k.attempts++
	c := k.client
	r, err := c.replicas.pick(ctx, k.last)
	if err != nil {
		k.fault, k.answered, k.sign, k.nowhere = err, false, unclear, true
		return
	}
	k.last = r
	k.nowhere = false
	if k.attempts > 1 {
		k.start = time.Now()
	}
	deadline := k.deadline
	if k.repeatable && k.attempts < c.policy.Attempts && c.replicas.other(r) {
		if d := k.start.Add(c.policy.Attempt); d.Before(deadline) {
			deadline = d
		}
	}
	connected := r.link.state() != linkDown
	within, cancel := context.WithDeadline(ctx, deadline)
	k.fault, k.answered = r.link.call(within, k.operation, k.beside, k.req, k.res)
	cancel()
	k.sign = k.read()
	if k.sign == dead && !connected {
		// The link was known to be down and has only said why. That costs nothing, and the link tells when the replica is back.
		k.sign, k.nowhere = unclear, true
		c.counts.unreachable.Add(1)
	}
	if k.sign == dead || k.nowhere {
		c.replicas.doubt()
	}
	r.record(k.sign)
}

// read tells what the end of an attempt says about the replica's health.
func (k *call) read() sign {
	switch {
	case k.fault == nil:
		return alive
	case k.fault.Kind == fault.KindDeadline:
		// Whoever had hardly any time has not shown that the owner is slow.
		if time.Since(k.start) < k.client.policy.Attempt/2 {
			return unclear
		}
		return dead
	case k.answered:
		return alive
	case k.fault.Kind == fault.KindUnavailable:
		return dead
	}
	return unclear
}

// record tells a breaker how a call ended that it has let through. In a half-open breaker each has to be accounted for.
func record(b circuitbreaker.CircuitBreaker[any], s sign) {
	switch {
	case s == alive:
		b.RecordSuccess()
	case s == dead || b.IsHalfOpen():
		b.RecordFailure()
	}
}
