package audit_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/platform/audit"
	"kerf/platform/bus"
	"kerf/platform/clock"
	"kerf/platform/database"
	"kerf/platform/database/databasetest"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/inbox"
	"kerf/platform/kerfpb"
	"kerf/platform/outbox"
	"kerf/platform/platformpb"
	"kerf/platform/work"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func admin(t *testing.T) context.Context {
	return identity.With(t.Context(), identity.Principal{Subject: "root", Roles: []identity.Role{identity.RoleAdmin}})
}

// open returns the service of a module that has written one event, which nobody publishes, and parked two messages of one key.
func open(t *testing.T) *audit.Service {
	t.Helper()
	return fill(t, databasetest.Open(t, "books"))
}

func fill(t *testing.T, db *database.DB) *audit.Service {
	t.Helper()
	parts := partsOn(db)
	err := db.Write(t.Context(), func(ctx context.Context, tx *database.Tx) error {
		if err := parts.Outbox.Append(ctx, tx, "k", "a", &kerfpb.Money{Amount: 1}); err != nil {
			return err
		}
		for i, cause := range []string{"poison", ""} {
			if _, err := tx.Exec(`INSERT INTO parked (topic, event_id, type, source, subject, key, sequence, metadata, payload, cause, attempts,
				parked_at) VALUES ('kerf.shop.v1', ?, 'kerf.Money', 'shop', 's', 'k', ?, '{}', ?, ?, 5, ?)`,
				string(rune('a'+i)), i+1, []byte{}, cause, database.Micros(now)); err != nil {
				return err
			}
		}
		return parts.Work.Schedule(tx, "remind", "k", now.Add(time.Hour), nil)
	})
	if err != nil {
		t.Fatal(err)
	}
	return audit.New(parts)
}

// partsOn are the parts of a process that has the schema open.
func partsOn(db *database.DB) audit.Parts {
	clk, log := clock.NewManual(now), slog.New(slog.DiscardHandler)
	queue := work.New(db, clk.Clock, work.Config{}, log, nil)
	queue.Handle("remind", work.Domain, func(context.Context, *work.Claim) error { return nil })
	return audit.Parts{
		Module: "books", Outbox: outbox.New(db, "books", clk), Work: queue,
		Listener: inbox.NewListener("books", db, []inbox.Subscription{{Module: "shop", Handlers: []inbox.Handler{
			inbox.On(func(context.Context, *database.Tx, bus.Meta, *kerfpb.Money) error { return nil }),
		}}}, inbox.Config{}, clk, log, nil),
		Counters: func(context.Context) (map[string]int64, error) { return map[string]int64{"sagas_open": 3}, nil },
	}
}

func TestAnyReplicaAnswersAlike(t *testing.T) {
	a, b := databasetest.OpenTwo(t, "books")
	one, two := fill(t, a), audit.New(partsOn(b))
	first, err := one.Audit(admin(t), &platformpb.AuditRequest{})
	if err != nil {
		t.Fatal(err)
	}
	second, err := two.Audit(admin(t), &platformpb.AuditRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first, second, protocmp.Transform()); diff != "" || first.GetWritten() != 1 {
		t.Errorf("one has %v, the other: %s", first, diff)
	}
}

func TestAuditCountsAllParts(t *testing.T) {
	got, err := open(t).Audit(admin(t), &platformpb.AuditRequest{})
	if err != nil {
		t.Fatal(err)
	}
	want := &platformpb.AuditResponse{
		Module: "books", Written: 1, Consumed: map[string]int64{"shop": 0}, Parked: 2, WorkOpen: 1,
		Counters: map[string]int64{"sagas_open": 3},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestParkedMessagesAreListedReplayedAndDropped(t *testing.T) {
	s := open(t)
	list, err := s.ListParked(admin(t), &platformpb.ListParkedRequest{Limit: 1})
	if err != nil {
		t.Fatal(err)
	}
	want := &platformpb.ListParkedResponse{Messages: []*platformpb.ParkedMessage{{
		Id: "1", EventId: "a", Type: "kerf.Money", Source: "shop", Subject: "s", Key: "k", Sequence: 1, Cause: "poison", Attempts: 5,
		ParkedAt: timestamppb.New(now), Head: true,
	}}}
	if diff := cmp.Diff(want, list, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	replayed, err := s.ReplayParked(admin(t), &platformpb.ReplayParkedRequest{Id: "1", OperationKey: "replay"})
	if err != nil || replayed.GetHandled() != 0 { // it has no metadata, so it cannot be read
		t.Errorf("replay handled %d, error %v", replayed.GetHandled(), err)
	}
	if _, err := s.DropParked(admin(t), &platformpb.DropParkedRequest{Id: "1", OperationKey: "drop"}); err != nil {
		t.Error(err)
	}
	counts, err := s.Audit(admin(t), &platformpb.AuditRequest{})
	if err != nil || counts.GetParked() != 1 || counts.GetDropped() != 1 {
		t.Errorf("after the drop: %v, error %v", counts, err)
	}
}

// deaf is a bus that stores messages for ever.
type deaf struct{ message.Publisher }

func (deaf) Publish(string, ...*message.Message) error { return nil }

func TestTheLogShowsPublishedEvents(t *testing.T) {
	clk := clock.NewManual(now)
	db := databasetest.Open(t, "books")
	ob := outbox.New(db, "books", clk)
	s := audit.New(audit.Parts{Module: "books", Outbox: ob})
	ctx := bus.WithCause(t.Context(), bus.Meta{ID: "cause", CorrelationID: "request"})
	err := db.Write(ctx, func(ctx context.Context, tx *database.Tx) error {
		return ob.Append(ctx, tx, "k", "a", &kerfpb.Money{Amount: 1})
	})
	if err != nil {
		t.Fatal(err)
	}
	req := &platformpb.ReadLogRequest{Partition: int32(bus.Partition("k", outbox.Partitions)), Limit: 1000}
	before, err := s.ReadLog(admin(t), req)
	if err != nil || len(before.GetEntries()) != 0 {
		t.Errorf("before it is published the log has %v, error %v", before, err)
	}
	running, stop := context.WithCancel(t.Context())
	relay := outbox.NewRelay(ob, deaf{}, outbox.RelayConfig{}, slog.New(slog.DiscardHandler), nil)
	ended := make(chan error, 1)
	go func() { ended <- relay.Run(running) }()
	res := before
	for deadline := time.Now().Add(10 * time.Second); len(res.GetEntries()) == 0 && time.Now().Before(deadline); {
		if res, err = s.ReadLog(admin(t), req); err != nil {
			t.Fatal(err)
		}
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	want := &platformpb.ReadLogResponse{Entries: []*platformpb.LogEntry{{
		Position: 1, Type: "kerf.Money", Source: "books", Subject: "a", Key: "k", Sequence: 1, Time: timestamppb.New(now),
		CorrelationId: "request", CausationId: "cause", SchemaVersion: 1, Data: []byte{8, 1},
	}}}
	if diff := cmp.Diff(want, res, protocmp.Transform(), protocmp.IgnoreFields(&platformpb.LogEntry{}, "id")); diff != "" {
		t.Error(diff)
	}
}

func TestBadRequestsAreRefused(t *testing.T) {
	s := open(t)
	for name, call := range map[string]func(context.Context) error{
		"log": func(ctx context.Context) error {
			_, err := s.ReadLog(ctx, &platformpb.ReadLogRequest{Partition: 16, Limit: 1})
			return err
		},
		"limit": func(ctx context.Context) error {
			_, err := s.ReadLog(ctx, &platformpb.ReadLogRequest{Limit: 1001})
			return err
		},
		"list": func(ctx context.Context) error {
			_, err := s.ListParked(ctx, &platformpb.ListParkedRequest{})
			return err
		},
		"replay": func(ctx context.Context) error {
			_, err := s.ReplayParked(ctx, &platformpb.ReplayParkedRequest{Id: "1"})
			return err
		},
		"drop": func(ctx context.Context) error {
			_, err := s.DropParked(ctx, &platformpb.DropParkedRequest{Id: "1"})
			return err
		},
	} {
		if err := call(admin(t)); fault.KindOf(err) != fault.KindInvalid {
			t.Errorf("%s: %v", name, err)
		}
		if err := call(t.Context()); fault.KindOf(err) != fault.KindUnauthenticated {
			t.Errorf("%s without a caller: %v", name, err)
		}
		diner := identity.With(t.Context(), identity.Principal{Subject: "diner", Roles: []identity.Role{identity.RoleConsumer}})
		if err := call(diner); fault.KindOf(err) != fault.KindForbidden {
			t.Errorf("%s by a diner: %v", name, err)
		}
	}
}

func TestAModuleWithoutPartsHasNothing(t *testing.T) {
	s := audit.New(audit.Parts{Module: "gateway"})
	got, err := s.Audit(admin(t), &platformpb.AuditRequest{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(&platformpb.AuditResponse{Module: "gateway"}, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
	if _, err := s.DropParked(admin(t), &platformpb.DropParkedRequest{Id: "1", OperationKey: "k"}); fault.KindOf(err) != fault.KindNotFound {
		t.Errorf("drop: %v", err)
	}
}
