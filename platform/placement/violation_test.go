package placement_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"

	"kerf/platform/fault"
	"kerf/platform/placement"
	"kerf/platform/platformpb"
)

func violated(t *testing.T, s *placement.Seams, want ...string) {
	t.Helper()
	got := s.Violations()
	if len(got) != len(want) {
		t.Fatalf("violations = %q, want %q", got, want)
	}
	for i := range want {
		if !strings.Contains(got[i], want[i]) {
			t.Errorf("violation %q does not say %q", got[i], want[i])
		}
	}
}

func TestAModuleThatWritesIntoItsRequestIsCaught(t *testing.T) {
	o := &owner{read: func(_ context.Context, req *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
		req.Limit = min(req.GetLimit(), 100)
		return &platformpb.ReadLogResponse{}, nil
	}}
	p := place(t, placement.Checked, o)
	if _, err := p.ReadLog(t.Context(), &platformpb.ReadLogRequest{Limit: 100}); err != nil {
		t.Fatal(err)
	}
	violated(t, p.seams)
	if _, err := p.ReadLog(t.Context(), &platformpb.ReadLogRequest{Limit: 101}); err != nil {
		t.Fatal(err)
	}
	violated(t, p.seams, "kitchen.ReadLog: the module has written into its request")
}

func TestAWriteIntoARequestIsCaughtWhenTheCallFailsToo(t *testing.T) {
	p := place(t, placement.Checked, &owner{read: func(_ context.Context, req *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
		req.Partition++
		panic("and then this")
	}})
	if _, err := p.ReadLog(t.Context(), &platformpb.ReadLogRequest{}); fault.KindOf(err) != fault.KindInternal {
		t.Fatal(err)
	}
	violated(t, p.seams, "the module has written into its request")
}

// cache hands the same response to every caller and keeps it current in place, which only a copy on the wire would forgive.
func cache() *owner {
	kept := &platformpb.ReadLogResponse{}
	return &owner{read: func(_ context.Context, req *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
		kept.Entries = append(kept.Entries, &platformpb.LogEntry{Position: req.GetAfter() + 1})
		return kept, nil
	}}
}

func TestAModuleThatChangesAResponseItHasHandedOverIsCaught(t *testing.T) {
	p := place(t, placement.Checked, cache())
	if _, err := p.ReadLog(t.Context(), &platformpb.ReadLogRequest{}); err != nil {
		t.Fatal(err)
	}
	violated(t, p.seams)
	if _, err := p.ReadLog(t.Context(), &platformpb.ReadLogRequest{After: 1}); err != nil {
		t.Fatal(err)
	}
	violated(t, p.seams, "kitchen.ReadLog: the module has changed a response that it had handed over")
	if err := p.seams.Close(); err == nil || !strings.Contains(err.Error(), "the module has changed") {
		t.Errorf("Close() = %v", err)
	}
}

func TestACallerThatChangesAResponseItWasHandedIsCaught(t *testing.T) {
	p := place(t, placement.Checked, &owner{read: answers(nil)})
	res, err := p.ReadLog(t.Context(), &platformpb.ReadLogRequest{})
	if err != nil {
		t.Fatal(err)
	}
	res.Entries = append(res.Entries, &platformpb.LogEntry{})
	violated(t, p.seams, "kitchen.ReadLog: the caller has changed a response that it was handed")
}

func TestAChangeIsCaughtThoughManyCallsFollow(t *testing.T) {
	p := place(t, placement.Checked, &owner{read: answers(nil)})
	first, err := p.ReadLog(t.Context(), &platformpb.ReadLogRequest{})
	if err != nil {
		t.Fatal(err)
	}
	first.Entries = append(first.Entries, &platformpb.LogEntry{})
	for range 5000 {
		if _, err := p.ReadLog(t.Context(), &platformpb.ReadLogRequest{}); err != nil {
			t.Fatal(err)
		}
	}
	violated(t, p.seams, "the caller has changed a response")
}

// counting is a command that is not idempotent: each repeat tells of another one.
func counting() *owner {
	var n atomic.Int32
	return &owner{replay: func(context.Context, *platformpb.ReplayParkedRequest) (*platformpb.ReplayParkedResponse, error) {
		return &platformpb.ReplayParkedResponse{Handled: n.Add(1)}, nil
	}}
}

func TestACommandThatAnswersItsRepeatOtherwiseIsCaught(t *testing.T) {
	p := place(t, placement.Wire, counting())
	res, err := p.ReplayParked(t.Context(), &platformpb.ReplayParkedRequest{Id: "1", OperationKey: "k"})
	if err != nil {
		t.Fatal(err)
	}
	if res.GetHandled() != 2 {
		t.Errorf("the caller was given answer %d, want the second", res.GetHandled())
	}
	violated(t, p.seams, "kitchen.ReplayParked: a command was repeated and answered differently: first a response, then a response")
}

func TestARepeatMayEndOtherwiseAsLongAsNoAnswerWasDefinite(t *testing.T) {
	refused := fault.Refused("dropped", "it was dropped")
	for _, row := range []struct {
		name          string
		first, second error
		caught        bool
	}{
		{"same refusal", refused, fault.Refused("dropped", "it was dropped"), false},
		{"success, then a refusal", nil, refused, true},
		{"two refusals", refused, fault.NotFound("message"), true},
		{"unknown, then success", fault.Unknown(0, "in_flight", "in flight"), nil, false},
		{"unavailable, then a refusal", fault.Unavailable(0, "busy", "busy"), refused, false},
		{"success, then unavailable", nil, fault.Unavailable(0, "busy", "busy"), false},
	} {
		t.Run(row.name, func(t *testing.T) {
			var n atomic.Int32
			p := place(t, placement.Wire, &owner{replay: func(context.Context, *platformpb.ReplayParkedRequest) (*platformpb.ReplayParkedResponse, error) {
				if n.Add(1) == 1 {
					return &platformpb.ReplayParkedResponse{}, row.first
				}
				return &platformpb.ReplayParkedResponse{}, row.second
			}})
			_, err := p.ReplayParked(t.Context(), &platformpb.ReplayParkedRequest{})
			if got, want := fault.KindOf(err), fault.KindOf(row.second); got != want {
				t.Errorf("the call ended %v, want the second answer, %v", got, want)
			}
			if got := p.seams.Violations(); (len(got) > 0) != row.caught {
				t.Errorf("violations = %q", got)
			}
		})
	}
}

func TestAQueryMayAnswerItsRepeatOtherwise(t *testing.T) {
	p := place(t, placement.Wire, cache())
	if _, err := p.ReadLog(t.Context(), &platformpb.ReadLogRequest{}); err != nil {
		t.Fatal(err)
	}
	violated(t, p.seams)
}

func TestAModeIsOneOfThree(t *testing.T) {
	for _, name := range []string{"local", "checked", "wire"} {
		if mode, err := placement.ParseMode(name); err != nil || string(mode) != name {
			t.Errorf("ParseMode(%q) = %q, %v", name, mode, err)
		}
	}
	for _, name := range []string{"", "remote", "Local"} {
		if _, err := placement.ParseMode(name); err == nil {
			t.Errorf("ParseMode(%q) was taken", name)
		}
		if _, err := placement.New(placement.Config{Mode: placement.Mode(name)}); err == nil {
			t.Errorf("New took mode %q", name)
		}
	}
}
