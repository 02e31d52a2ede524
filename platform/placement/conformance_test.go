package placement_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
	"kerf/platform/platformpb"
)

type readLog = func(context.Context, *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error)

func answers(err error) readLog {
	return func(context.Context, *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
		return &platformpb.ReadLogResponse{}, err
	}
}

// call is one call that has to end alike in every placement.
type call struct {
	name    string
	caller  func(t *testing.T) context.Context
	owner   readLog
	want    *fault.Error
	uncalls bool // the owner must not see it
}

func background(*testing.T) context.Context { return context.Background() }

func conformance() []call {
	calls := []call{
		{name: "success", owner: answers(nil)},
		{name: "a wrapped fault", owner: answers(fmt.Errorf("secret: %w", fault.Refused("closed", "closed").WithCause(errors.New("secret")))),
			want: &fault.Error{Kind: fault.KindRefused, Code: "closed", Message: "closed"}},
		{name: "a plain error", owner: answers(errors.New("secret")),
			want: &fault.Error{Kind: fault.KindInternal, Code: "internal", Message: "internal error"}},
		{name: "a panic", owner: func(context.Context, *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
			panic("secret")
		},
			want: &fault.Error{Kind: fault.KindInternal, Code: "panic", Message: "internal error"}},
		{name: "no answer at all", owner: func(context.Context, *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
			return nil, nil
		},
			want: &fault.Error{Kind: fault.KindInternal, Code: "no_answer", Message: "internal error"}},
		{name: "a deadline that has passed", caller: expired, owner: answers(nil), uncalls: true,
			want: &fault.Error{Kind: fault.KindDeadline, Code: "deadline", Message: "the deadline passed"}},
		{name: "a caller who has gone", caller: cancelled, owner: answers(nil), uncalls: true,
			want: &fault.Error{Kind: fault.KindUnknown, Code: "cancelled", Message: "the caller gave up"}},
		{name: "a deadline that passes meanwhile", caller: brief,
			owner: func(ctx context.Context, _ *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			},
			want: &fault.Error{Kind: fault.KindDeadline, Code: "deadline", Message: "the deadline passed"}},
	}
	for _, kind := range fault.Kinds()[1:] {
		e := fault.Error{
			Kind: kind, Code: "why", Message: "because", RetryAfter: 1500 * time.Millisecond,
			Violations: []fault.Violation{{Field: "lines[2].quantity", Description: "must be positive"}, {Field: "tip", Description: "is odd"}},
		}
		calls = append(calls, call{name: "the fault " + kind.String(), owner: answers(&e), want: &e})
	}
	return calls
}

func expired(t *testing.T) context.Context {
	ctx, cancel := context.WithDeadline(context.Background(), time.Now().Add(-time.Second))
	t.Cleanup(cancel)
	return ctx
}

func cancelled(*testing.T) context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func brief(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	t.Cleanup(cancel)
	return ctx
}

func TestACallEndsAlikeInEveryPlacement(t *testing.T) {
	for _, where := range placements {
		for _, c := range conformance() {
			t.Run(where.name+"/"+c.name, func(t *testing.T) {
				o := &owner{read: c.owner}
				p := where.place(t, o)
				if c.caller == nil {
					c.caller = background
				}
				res, err := p.ReadLog(c.caller(t), &platformpb.ReadLogRequest{Limit: 1})
				if c.want == nil {
					if err != nil || res == nil {
						t.Fatalf("ReadLog() = %v, %v", res, err)
					}
				} else {
					var got *fault.Error
					if !errors.As(err, &got) {
						t.Fatalf("ReadLog() = %v, %T: not a fault", err, err)
					}
					if strings.Contains(err.Error(), "secret") {
						t.Errorf("the caller is told a cause: %v", err)
					}
					told := *got
					told.Cause = nil // the transport's, if any
					if diff := cmp.Diff(c.want, &told); diff != "" {
						t.Errorf("the fault differs (-want +got):\n%s", diff)
					}
					if res != nil {
						t.Errorf("a response came with the error: %v", res)
					}
				}
				if got := o.calls.Load(); c.uncalls && got != 0 {
					t.Errorf("the owner was called %d times", got)
				}
				if v := p.seams.Violations(); len(v) > 0 {
					t.Errorf("violations: %v", v)
				}
			})
		}
	}
}

func TestTheOwnerLivesOnAfterAPanic(t *testing.T) {
	for _, where := range placements {
		t.Run(where.name, func(t *testing.T) {
			p := where.place(t, &owner{read: func(_ context.Context, req *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
				if req.GetLimit() == 0 {
					panic("no limit")
				}
				return &platformpb.ReadLogResponse{Entries: []*platformpb.LogEntry{{Position: req.GetAfter() + 1}}}, nil
			}})
			if _, err := p.ReadLog(t.Context(), &platformpb.ReadLogRequest{}); fault.KindOf(err) != fault.KindInternal {
				t.Errorf("the panic became %v", err)
			}
			res, err := p.ReadLog(t.Context(), &platformpb.ReadLogRequest{After: 41, Limit: 1})
			if err != nil {
				t.Fatal(err)
			}
			want := &platformpb.ReadLogResponse{Entries: []*platformpb.LogEntry{{Position: 42}}}
			if !proto.Equal(res, want) {
				t.Errorf("ReadLog() = %v, want %v", res, want)
			}
		})
	}
}

func TestNothingIsCalledInsideATransaction(t *testing.T) {
	db := databasetest.Open(t, "orders")
	for _, where := range placements {
		t.Run(where.name, func(t *testing.T) {
			o := &owner{read: answers(nil)}
			p := where.place(t, o)
			err := db.Write(t.Context(), func(ctx context.Context, _ *database.Tx) error {
				_, err := p.ReadLog(ctx, &platformpb.ReadLogRequest{})
				return err
			})
			if f := fault.As(err); f == nil || f.Kind != fault.KindInternal || f.Code != "call_in_transaction" {
				t.Errorf("the call ended with %v", err)
			}
			if got := o.calls.Load(); got != 0 {
				t.Errorf("the owner was called %d times", got)
			}
		})
	}
}
