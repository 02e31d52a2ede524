package provider

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"kerf/platform/database"
)

// Config tunes the simulator. Zero fields mean the default.
type Config struct {
	// Latency is how long every answer takes: nothing.
	Latency time.Duration
	// Slow is how long tok_slow takes: 300 ms.
	Slow time.Duration
	// Late is how long after an instruction tok_late takes effect: 3 s, past the caller's deadline.
	Late time.Duration
	// Hold is how long an authorisation lasts: 7 days of the wall clock.
	Hold time.Duration
}

func (c Config) withDefaults() Config {
	if c.Slow == 0 {
		c.Slow = 300 * time.Millisecond
	}
	if c.Late == 0 {
		c.Late = 3 * time.Second
	}
	if c.Hold == 0 {
		c.Hold = 7 * 24 * time.Hour
	}
	return c
}

// errConnection is a connection that broke: the caller cannot tell whether before or after the effect.
var errConnection = errors.New("the connection to the provider broke")

// Simulator is a provider whose record lies in tables of its own in a module's database. Make one with NewSimulator.
type Simulator struct {
	db     *database.DB
	clock  interface{ Wall() time.Time }
	config Config

	mu    sync.Mutex
	tried map[string]bool // instructions whose first attempt was lost; it is fine to forget them in a crash
}

// NewSimulator returns a simulator that keeps its record in db.
func NewSimulator(db *database.DB, clk interface{ Wall() time.Time }, config Config) *Simulator {
	return &Simulator{db: db, clock: clk, config: config.withDefaults(), tried: map[string]bool{}}
}

// Execute implements Provider.
func (s *Simulator) Execute(ctx context.Context, in Instruction) (Answer, error) {
	token, err := s.tokenOf(ctx, in)
	if err != nil {
		return Answer{}, err
	}
	b := behaviours[token]
	goes := b.goes[in.Kind]
	if (goes == lost || goes == timeout) && !s.secondTry(in.Key) {
		if goes == lost {
			return Answer{}, errConnection
		}
		return unanswered(ctx)
	}
	wait := s.config.Latency
	if goes == slow {
		wait += s.config.Slow
	}
	if err := sleep(ctx, wait); err != nil {
		return Answer{}, err
	}
	var answer Answer
	var first bool
	// What has reached the provider is carried out, whether the caller still waits or not.
	err = s.db.Write(context.WithoutCancel(ctx), func(_ context.Context, tx *database.Tx) (err error) {
		answer, first, err = s.carryOut(tx, in, b)
		return err
	})
	switch {
	case err != nil:
		return Answer{}, err
	case goes == unknown && first:
		return Answer{}, errConnection
	case goes == late && first:
		return unanswered(ctx)
	}
	return answer, nil
}

// Lookup implements Provider.
func (s *Simulator) Lookup(ctx context.Context, key string) (answer Answer, known bool, err error) {
	err = s.db.Write(ctx, func(_ context.Context, tx *database.Tx) (err error) {
		answer, known, err = s.recall(tx, key)
		return err
	})
	return answer, known, err
}

// tokenOf is the token of the payment that an instruction is about.
func (s *Simulator) tokenOf(ctx context.Context, in Instruction) (string, error) {
	if in.Kind == Authorize {
		return in.Token, nil
	}
	var token string
	err := s.db.QueryRow(ctx, `SELECT token FROM simulator_charge WHERE authorization_key = ?`, in.Authorization).Scan(&token)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return "", fmt.Errorf("simulate a provider: %w", err)
	}
	return token, nil
}

// secondTry tells whether the instruction was tried before; it was, from now on.
func (s *Simulator) secondTry(key string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.tried[key] {
		delete(s.tried, key)
		return true
	}
	s.tried[key] = true
	return false
}

func unanswered(ctx context.Context) (Answer, error) {
	<-ctx.Done()
	return Answer{}, ctx.Err()
}

func sleep(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
