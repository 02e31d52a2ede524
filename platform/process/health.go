package process

import (
	"context"
	"encoding/json"
	"net/http"
	"sync"
	"time"
)

type state string

const (
	starting state = "starting"
	serving  state = "serving"
	draining state = "draining"
)

// Health tells whether the process lives and whether it is ready for requests. Add
// all checks before it is served.
type Health struct {
	mu     sync.Mutex
	state  state
	checks []check
}

type check struct {
	name string
	run  func(ctx context.Context) error
}

// NewHealth gives the health of a process that is not ready yet.
func NewHealth() *Health { return &Health{state: starting} }

// Check makes readiness depend on f, which gets checkLimit to say what is wrong.
func (h *Health) Check(name string, f func(ctx context.Context) error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.checks = append(h.checks, check{name, f})
}

// checkLimit is how long a check may take before it counts as failed.
const checkLimit = time.Second

func (h *Health) set(s state) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.state = s
}

// report is the body of both answers.
type report struct {
	Status string            `json:"status"` // ok, or why not: starting, draining, failed
	Checks map[string]string `json:"checks,omitempty"`
}

// Livez answers 200 as long as the process can answer at all. What it depends on is
// not asked: to restart it would not mend that.
func (h *Health) Livez() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		answer(w, http.StatusOK, report{Status: "ok"})
	})
}

// Readyz answers 200 if the process serves and every check passes, else 503, with the
// outcome of each check. Why a check failed is told only with detail, which is for
// operators, not for the public.
func (h *Health) Readyz(detail bool) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.mu.Lock()
		state, checks := h.state, h.checks
		h.mu.Unlock()
		if state != serving {
			answer(w, http.StatusServiceUnavailable, report{Status: string(state)})
			return
		}
		status, result := http.StatusOK, report{Status: "ok", Checks: map[string]string{}}
		for name, err := range run(r.Context(), checks) {
			result.Checks[name] = "ok"
			if err == nil {
				continue
			}
			status, result.Status, result.Checks[name] = http.StatusServiceUnavailable, "failed", "failed"
			if detail {
				result.Checks[name] = "failed: " + err.Error()
			}
		}
		answer(w, status, result)
	})
}

// run runs the checks side by side, and does not wait for one that takes too long.
func run(ctx context.Context, checks []check) map[string]error {
	ctx, cancel := context.WithTimeout(ctx, checkLimit)
	defer cancel()
	type outcome struct {
		name string
		err  error
	}
	outcomes := make(chan outcome, len(checks))
	results := map[string]error{}
	for _, c := range checks {
		results[c.name] = context.DeadlineExceeded
		go func() { outcomes <- outcome{c.name, c.run(ctx)} }()
	}
	for range checks {
		select {
		case o := <-outcomes:
			results[o.name] = o.err
		case <-ctx.Done():
			return results
		}
	}
	return results
}

func answer(w http.ResponseWriter, status int, body report) {
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Cache-Control", "no-store")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(body) // a caller that is gone needs no answer
}
