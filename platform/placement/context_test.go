package placement_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"kerf/platform/bus"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/platformpb"
)

func TestTheOwnerKnowsWhoCallsAndWhy(t *testing.T) {
	caller := identity.Principal{Subject: "Søren, \"the diner\"", Roles: []identity.Role{identity.RoleConsumer}, OwnedIDs: []string{"a", "b"}}
	ctx := identity.With(t.Context(), caller)
	ctx = bus.WithCause(ctx, bus.Meta{ID: "event-1", CorrelationID: "request “1”"})
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	deadline, _ := ctx.Deadline()

	for _, where := range placements {
		t.Run(where.name, func(t *testing.T) {
			o := &owner{read: func(ctx context.Context, _ *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
				if p, _ := identity.From(ctx); !cmp.Equal(p, caller) {
					t.Errorf("the principal is %#v, want %#v", p, caller)
				}
				if correlation, causation := bus.CauseOf(ctx); correlation != "request “1”" || causation != "event-1" {
					t.Errorf("the cause is %q, %q", correlation, causation)
				}
				// What is sent is the time that is left, so that the way there and rounding move the deadline a little.
				if d, ok := ctx.Deadline(); !ok || d.Sub(deadline).Abs() > 2*time.Second {
					t.Errorf("the deadline is %v, %v; the caller's %v", d, ok, deadline)
				}
				return &platformpb.ReadLogResponse{}, nil
			}}
			p := where.place(t, o)
			if _, err := p.ReadLog(ctx, &platformpb.ReadLogRequest{}); err != nil {
				t.Fatal(err)
			}
			if got := o.calls.Load(); got != p.calls {
				t.Errorf("the owner was called %d times, want %d", got, p.calls)
			}
		})
	}
}

func TestNobodyIsThereWhereNobodyCalled(t *testing.T) {
	for _, where := range placements {
		t.Run(where.name, func(t *testing.T) {
			p := where.place(t, &owner{read: func(ctx context.Context, _ *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
				if p, ok := identity.From(ctx); ok {
					t.Errorf("the principal is %#v", p)
				}
				if correlation, causation := bus.CauseOf(ctx); correlation != "" || causation != "" {
					t.Errorf("the cause is %q, %q", correlation, causation)
				}
				return &platformpb.ReadLogResponse{}, nil
			}})
			if _, err := p.ReadLog(t.Context(), &platformpb.ReadLogRequest{}); err != nil {
				t.Fatal(err)
			}
		})
	}
}

func TestACallIsASpanOnlyUnderASampledOne(t *testing.T) {
	for _, where := range placements {
		for _, sampled := range []bool{true, false} {
			name := "sampled"
			if !sampled {
				name = "not sampled"
			}
			t.Run(where.name+"/"+name, func(t *testing.T) {
				recorder := tracetest.NewSpanRecorder()
				sampler := sdktrace.NeverSample()
				if sampled {
					sampler = sdktrace.AlwaysSample()
				}
				provider := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(recorder), sdktrace.WithSampler(sampler))
				ctx, root := provider.Tracer("test").Start(t.Context(), "root")
				var seen string
				p := where.place(t, &owner{read: func(ctx context.Context, _ *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
					seen = bus.TraceParentOf(ctx)[3:35]
					return nil, fault.NotFound("log")
				}}, traced(provider))
				if _, err := p.ReadLog(ctx, &platformpb.ReadLogRequest{}); fault.KindOf(err) != fault.KindNotFound {
					t.Fatal(err)
				}
				root.End()
				if want := root.SpanContext().TraceID().String(); seen != want {
					t.Errorf("the owner is in trace %s, the caller in %s", seen, want)
				}
				var calls int
				for _, span := range recorder.Ended() {
					if span.Name() == "/kerf.platform.v1.PlatformService/ReadLog" && span.Parent().SpanID() == root.SpanContext().SpanID() {
						calls++
					}
				}
				if want := map[bool]int{true: 1, false: 0}[sampled]; calls != want {
					t.Errorf("%d spans for the call, want %d", calls, want)
				}
			})
		}
	}
}

func TestACallIsCountedByItsOutcome(t *testing.T) {
	for _, where := range placements {
		t.Run(where.name, func(t *testing.T) {
			p := where.place(t, &owner{read: func(_ context.Context, req *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
				if req.GetLimit() == 0 {
					return nil, fault.Invalid()
				}
				return &platformpb.ReadLogResponse{}, nil
			}})
			for _, limit := range []int32{1, 1, 0} {
				_, _ = p.ReadLog(t.Context(), &platformpb.ReadLogRequest{Limit: limit})
			}
			_, _ = p.ReadLog(expired(t), &platformpb.ReadLogRequest{Limit: 1})

			families, err := p.registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			got := map[string]uint64{}
			for _, family := range families {
				for _, metric := range family.GetMetric() {
					labels := family.GetName()
					for _, l := range metric.GetLabel() {
						labels += " " + l.GetName() + "=" + l.GetValue()
					}
					got[labels] = metric.GetHistogram().GetSampleCount()
				}
			}
			want := map[string]uint64{
				"kerf_call_seconds module=kitchen operation=ReadLog outcome=ok placement=" + label(where.name):       2,
				"kerf_call_seconds module=kitchen operation=ReadLog outcome=invalid placement=" + label(where.name):  1,
				"kerf_call_seconds module=kitchen operation=ReadLog outcome=deadline placement=" + label(where.name): 1,
			}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("the metrics differ (-want +got):\n%s", diff)
			}
		})
	}
}
