package audit

import (
	"context"
	"fmt"

	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/inbox"
	"kerf/platform/outbox"
	"kerf/platform/platformpb"
	"kerf/platform/work"
)

const (
	largestLogPage    = 1000
	largestParkedPage = 100
)

// Parts are what a module has to be audited; all but Module may be nil.
type Parts struct {
	Module   string
	Outbox   *outbox.Outbox
	Listener *inbox.Listener
	Work     *work.Queue
	// Counters returns what the module itself counts, such as open sagas.
	Counters func(ctx context.Context) (map[string]int64, error)
}

// Service is a platformpb.PlatformService. It answers administrators and other modules only.
type Service struct {
	parts Parts
}

var _ platformpb.PlatformService = (*Service)(nil)

// New returns the service of a module.
func New(parts Parts) *Service { return &Service{parts: parts} }

// allow refuses everybody but administrators and modules.
func allow(ctx context.Context) error {
	caller, ok := identity.From(ctx)
	switch {
	case !ok:
		return fault.Unauthenticated("the platform's operations need a caller")
	case !caller.Has(identity.RoleAdmin, identity.RoleService):
		return fault.Forbidden("not_admin", "the platform's operations are for administrators")
	}
	return nil
}

// within refuses a number that is out of bounds.
func within(field string, value, least, most int32) error {
	if value < least || value > most {
		return fault.Invalid(fault.Violation{Field: field, Description: fmt.Sprintf("must be %d to %d", least, most)})
	}
	return nil
}

// ReadLog implements platformpb.PlatformService.
func (s *Service) ReadLog(ctx context.Context, req *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
	if err := allow(ctx); err != nil {
		return nil, err
	}
	if err := within("partition", req.GetPartition(), 0, outbox.Partitions-1); err != nil {
		return nil, err
	}
	if err := within("limit", req.GetLimit(), 1, largestLogPage); err != nil {
		return nil, err
	}
	res := &platformpb.ReadLogResponse{}
	if s.parts.Outbox == nil {
		return res, nil
	}
	entries, err := s.parts.Outbox.ReadLog(ctx, int(req.GetPartition()), req.GetAfter(), int(req.GetLimit()))
	if err != nil {
		return nil, err
	}
	for _, e := range entries {
		res.Entries = append(res.Entries, &platformpb.LogEntry{
			Position: e.Position, Id: e.Meta.ID, Type: e.Meta.Type, Source: e.Meta.Source, Subject: e.Meta.Subject, Key: e.Meta.Key,
			Sequence: e.Meta.Sequence, Time: timestamppb.New(e.Meta.Time), CorrelationId: e.Meta.CorrelationID,
			CausationId: e.Meta.CausationID, SchemaVersion: int32(e.Meta.SchemaVersion), Data: e.Data,
		})
	}
	return res, nil
}

// Audit implements platformpb.PlatformService.
func (s *Service) Audit(ctx context.Context, _ *platformpb.AuditRequest) (*platformpb.AuditResponse, error) {
	if err := allow(ctx); err != nil {
		return nil, err
	}
	res := &platformpb.AuditResponse{Module: s.parts.Module}
	for _, count := range []func(context.Context, *platformpb.AuditResponse) error{s.outbox, s.inbox, s.work, s.counters} {
		if err := count(ctx, res); err != nil {
			return nil, fmt.Errorf("audit %s: %w", s.parts.Module, err)
		}
	}
	return res, nil
}

func (s *Service) outbox(ctx context.Context, res *platformpb.AuditResponse) error {
	if s.parts.Outbox == nil {
		return nil
	}
	counts, err := s.parts.Outbox.Counts(ctx)
	res.Written, res.Published, res.Settled = counts.Written, counts.Published, counts.Settled
	return err
}

func (s *Service) inbox(ctx context.Context, res *platformpb.AuditResponse) error {
	if s.parts.Listener == nil {
		return nil
	}
	counts, err := s.parts.Listener.Counts(ctx)
	res.Consumed, res.Parked, res.Dropped = counts.Consumed, counts.Parked, counts.Dropped
	return err
}

func (s *Service) work(ctx context.Context, res *platformpb.AuditResponse) error {
	if s.parts.Work == nil {
		return nil
	}
	depth, err := s.parts.Work.Depth(ctx)
	res.WorkOpen, res.WorkStuck = depth.Waiting+depth.Due+depth.Claimed, depth.Stuck
	return err
}

func (s *Service) counters(ctx context.Context, res *platformpb.AuditResponse) (err error) {
	if s.parts.Counters != nil {
		res.Counters, err = s.parts.Counters(ctx)
	}
	return err
}

// ListParked implements platformpb.PlatformService.
func (s *Service) ListParked(ctx context.Context, req *platformpb.ListParkedRequest) (*platformpb.ListParkedResponse, error) {
	if err := allow(ctx); err != nil {
		return nil, err
	}
	if err := within("limit", req.GetLimit(), 1, largestParkedPage); err != nil {
		return nil, err
	}
	res := &platformpb.ListParkedResponse{}
	if s.parts.Listener == nil {
		return res, nil
	}
	list, err := s.parts.Listener.List(ctx, req.GetAfter(), int(req.GetLimit()))
	if err != nil {
		return nil, err
	}
	for _, p := range list {
		cause := p.Cause
		if cause == "" {
			cause = "waits behind an earlier message of its key"
		}
		res.Messages = append(res.Messages, &platformpb.ParkedMessage{
			Id: p.ID, EventId: p.EventID, Type: p.Type, Source: p.Source, Subject: p.Subject, Key: p.Key, Sequence: p.Sequence,
			Cause: cause, Attempts: int32(p.Attempts), ParkedAt: timestamppb.New(p.ParkedAt), Head: p.Head,
		})
	}
	return res, nil
}

// ReplayParked implements platformpb.PlatformService.
func (s *Service) ReplayParked(ctx context.Context, req *platformpb.ReplayParkedRequest) (*platformpb.ReplayParkedResponse, error) {
	listener, err := s.command(ctx, req.GetOperationKey())
	if err != nil {
		return nil, err
	}
	handled, err := listener.Replay(ctx, req.GetId(), req.GetOperationKey())
	if err != nil {
		return nil, err
	}
	return &platformpb.ReplayParkedResponse{Handled: int32(handled)}, nil
}

// DropParked implements platformpb.PlatformService.
func (s *Service) DropParked(ctx context.Context, req *platformpb.DropParkedRequest) (*platformpb.DropParkedResponse, error) {
	listener, err := s.command(ctx, req.GetOperationKey())
	if err != nil {
		return nil, err
	}
	handled, err := listener.Drop(ctx, req.GetId(), req.GetOperationKey())
	if err != nil {
		return nil, err
	}
	return &platformpb.DropParkedResponse{Handled: int32(handled)}, nil
}

// command returns the listener for a command that may be carried out.
func (s *Service) command(ctx context.Context, operation string) (*inbox.Listener, error) {
	if err := allow(ctx); err != nil {
		return nil, err
	}
	if operation == "" {
		return nil, fault.Invalid(fault.Violation{Field: "operation_key", Description: "must not be empty"})
	}
	if s.parts.Listener == nil {
		return nil, fault.NotFound("parked message")
	}
	return s.parts.Listener, nil
}
