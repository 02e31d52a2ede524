package inbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"kerf/platform/bus"
	"kerf/platform/bus/memory"
	"kerf/platform/database"
	"kerf/platform/fault"
	"kerf/platform/inbox"
	"kerf/platform/kerfpb"
	"kerf/platform/outbox"
)

func TestEachEventHasItsEffectOnceAndInOrder(t *testing.T) {
	w := newWorld(t, memory.Config{Duplicate: true}, quick)
	var want []string
	for i := range 30 {
		w.write("k", "a", known)
		want = append(want, fmt.Sprintf("a-%d", i+1))
	}
	w.awaitEffects(want...)
	w.awaitCounts(30, 0, 0)
	w.await(func() string {
		counts, err := w.outbox.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return cmp.Diff(outbox.Counts{Written: 30, Published: 30, Settled: 30}, counts)
	})
}

func TestAnUnknownTypeIsPassedOverAndCounted(t *testing.T) {
	w := newWorld(t, memory.Config{}, quick)
	w.write("k", "a", known)
	w.write("k", "a", alien)
	w.write("k", "a", known)
	w.awaitEffects("a-1", "a-3")
	w.awaitCounts(3, 0, 0)
}

func TestAnAggregateMayBeginAnywhereButHasNoGaps(t *testing.T) {
	w := newWorld(t, memory.Config{}, quick)
	w.publish(event("a", 5))
	w.publish(event("a", 6))
	w.publish(event("a", 4)) // before what was handled: seen
	w.awaitEffects("a-5", "a-6")
	w.publish(event("a", 8))
	w.awaitCounts(2, 1, 0)
	if cause := w.parked()[0].Cause; !strings.Contains(cause, "gap") {
		t.Errorf("parked because %q", cause)
	}
	w.publish(event("a", 9))
	w.awaitCounts(2, 2, 0)
}

func TestAForkedLogIsNotTakenForADuplicate(t *testing.T) {
	w := newWorld(t, memory.Config{}, quick)
	w.publish(event("a", 1))
	other := event("a", 1)
	other.Metadata["ce_id"] = "another"
	w.publish(other)
	w.awaitCounts(1, 1, 0)
	if cause := w.parked()[0].Cause; !strings.Contains(cause, "forked") {
		t.Errorf("parked because %q", cause)
	}
}

func TestWhatCannotBeDecodedIsParkedAtOnce(t *testing.T) {
	w := newWorld(t, memory.Config{}, inbox.Config{FirstRetry: time.Hour})
	garbage := event("a", 1)
	garbage.Payload = []byte("\xff\xff")
	w.publish(garbage)
	nameless := event("b", 1)
	delete(nameless.Metadata, "ce_subject")
	w.publish(nameless)
	naked := event("c", 1)
	naked.Metadata = nil
	w.publish(naked)
	w.publish(event("a", 2))
	w.publish(event("d", 1))
	w.awaitEffects("d-1")
	w.awaitCounts(1, 4, 0)
	causes := map[string]string{}
	for _, p := range w.parked() {
		causes[p.EventID] = p.Cause
	}
	for id, part := range map[string]string{"a-1": "decode kerf.Money", "b-1": "ce_subject", "c-1": "ce_id"} {
		if !strings.Contains(causes[id], part) {
			t.Errorf("%s is parked because %q", id, causes[id])
		}
	}
	if causes["a-2"] != "" {
		t.Errorf("a-2 only waits, but has cause %q", causes["a-2"])
	}
}

// Who publishes past the outbox may send any bytes. PostgreSQL stores no others than text.
func TestTextThatNoDatabaseStoresIsParkedInOtherWords(t *testing.T) {
	w := newWorld(t, memory.Config{}, quick)
	for i, subject := range []string{"bro\xffken", "with a \x00"} {
		msg := event("x", 1)
		msg.Metadata["ce_id"] = fmt.Sprint("id-", i)
		msg.Metadata["ce_subject"] = subject
		msg.Metadata["ce_partitionkey"] = subject
		w.publish(msg)
		later := event("x", 2)
		later.Metadata["ce_id"] = fmt.Sprint("later-", i)
		later.Metadata["ce_subject"] = subject
		later.Metadata["ce_partitionkey"] = subject
		w.publish(later)
	}
	w.fail("a", errors.New("\xff and \x00 and "+strings.Repeat("é", 1000)))
	w.write("a", "a", known)
	w.write("b", "b", known)
	w.awaitEffects("b-1")
	w.awaitCounts(1, 5, 0)
	for _, p := range w.parked() {
		if !utf8.ValidString(p.Cause+p.Subject+p.Key) || strings.Contains(p.Cause+p.Subject+p.Key, "\x00") {
			t.Errorf("parked %+v", p)
		}
	}
}

func TestAFailingHandlerIsRetriedAndLeavesNothing(t *testing.T) {
	w := newWorld(t, memory.Config{}, inbox.Config{Attempts: 1000, FirstRetry: time.Millisecond, LongestRetry: time.Millisecond})
	w.fail("a", errors.New("not yet"))
	w.write("k", "a", known)
	w.await(func() string {
		if n := w.called(); n < 5 {
			return fmt.Sprintf("called %d times", n)
		}
		return ""
	})
	if diff := cmp.Diff([]string(nil), w.effects()); diff != "" {
		t.Errorf("a failed handler had effects: %s", diff)
	}
	w.fail("a", nil)
	w.awaitEffects("a-1")
	w.awaitCounts(1, 0, 0)
}

func TestAPoisonMessageBlocksItsKeyAndNoOther(t *testing.T) {
	w := newWorld(t, memory.Config{Partitions: 1}, quick)
	w.fail("bad", errors.New("poison"))
	w.write("k", "bad", known)
	w.write("k", "other", known) // of the same key
	w.write("k", "bad", known)
	w.write("free", "free", known)
	w.awaitEffects("free-1")
	w.awaitCounts(1, 3, 0)
	list := w.parked()
	var got []string
	for _, p := range list {
		got = append(got, fmt.Sprintf("%s-%d %q %d %v", p.Subject, p.Sequence, p.Cause, p.Attempts, p.Head))
	}
	want := []string{`bad-1 "poison" 3 true`, `other-1 "" 0 false`, `bad-2 "" 0 false`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p := list[0]; p.Source != "shop" || p.Key != "k" || p.Type != "kerf.Money" || p.EventID == "" || !p.ParkedAt.Equal(w.clock.Wall()) {
		t.Errorf("parked %+v", p)
	}
	w.await(func() string {
		counts, err := w.outbox.Counts(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		return cmp.Diff(int64(4), counts.Settled) // parked is settled
	})
}

func TestAPanicIsAFailureOfTheHandler(t *testing.T) {
	w := newWorld(t, memory.Config{}, quick)
	l := inbox.NewListener("books", w.books, []inbox.Subscription{{Module: "panicking", Handlers: []inbox.Handler{
		inbox.On(func(context.Context, *database.Tx, bus.Meta, *kerfpb.Money) error { panic("at the disco") }),
	}}}, quick, w.clock, slog.New(slog.DiscardHandler), nil)
	w.run("books", l)
	if err := w.bus.Publisher().Publish(bus.Topic("panicking"), event("a", 1)); err != nil {
		t.Fatal(err)
	}
	w.await(func() string { return cmp.Diff(1, len(w.parked())) })
}

func TestAFailingDatabasePausesAndParksNothing(t *testing.T) {
	w := newWorld(t, memory.Config{}, quick)
	w.fail("a", fault.Unavailable(time.Second, "database_full", "the disk is full"))
	w.write("k", "a", known)
	w.await(func() string {
		if n := w.called(); n < 3*quick.Attempts {
			return fmt.Sprintf("tried %d times", n)
		}
		return ""
	})
	if n := len(w.parked()); n > 0 {
		t.Errorf("%d messages were parked", n)
	}
	w.fail("a", nil)
	w.awaitEffects("a-1")
}

func TestMessagesWaitForALockedDatabase(t *testing.T) {
	t.Setenv("KERF_TEST_DATABASE", "") // only files are locked like this
	w := newWorld(t, memory.Config{}, quick)
	w.write("k", "a", known)
	w.awaitEffects("a-1")
	lock := w.lockBooks()
	// A command fails once it has waited for the lock in vain; then the listener has seen the failure, or is about to.
	for range 2 {
		err := w.books.Write(t.Context(), func(context.Context, *database.Tx) error { return nil })
		if fault.KindOf(err) != fault.KindUnavailable {
			t.Fatalf("the database is not locked: %v", err)
		}
		w.write("k", "a", known)
	}
	if err := lock.Rollback(); err != nil {
		t.Fatal(err)
	}
	w.awaitEffects("a-1", "a-2", "a-3")
	w.awaitCounts(3, 0, 0)
}

func TestWhatAHandlerPublishesHasItsEventAsCause(t *testing.T) {
	w := newWorld(t, memory.Config{}, quick)
	own := outbox.New(w.books, "books", w.clock)
	l := inbox.NewListener("books", w.books, []inbox.Subscription{{Module: "warehouse", Handlers: []inbox.Handler{
		inbox.On(func(ctx context.Context, tx *database.Tx, _ bus.Meta, _ *kerfpb.Money) error {
			return own.Append(ctx, tx, "k", "booking", known)
		}),
	}}}, quick, w.clock, slog.New(slog.DiscardHandler), nil)
	w.run("books", l)
	msg := event("a", 1)
	msg.Metadata["ce_correlationid"] = "request"
	if err := w.bus.Publisher().Publish(bus.Topic("warehouse"), msg); err != nil {
		t.Fatal(err)
	}
	w.await(func() string {
		var correlation, causation string
		err := w.books.QueryRow(t.Context(), `SELECT coalesce(max(correlation_id), ''), coalesce(max(causation_id), '') FROM outbox`).
			Scan(&correlation, &causation)
		if err != nil {
			t.Fatal(err)
		}
		return cmp.Diff([]string{"request", "a-1"}, []string{correlation, causation})
	})
}

func TestASampledEventIsHandledInItsTrace(t *testing.T) {
	recorder := tracetest.NewSpanRecorder()
	cfg := quick
	cfg.Tracer = sdk.NewTracerProvider(sdk.WithSpanProcessor(recorder)).Tracer("test")
	w := newWorld(t, memory.Config{Partitions: 1}, cfg)
	for flags, subject := range map[string]string{"01": "sampled", "00": "unsampled"} {
		msg := event(subject, 1)
		msg.Metadata["ce_traceparent"] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-" + flags
		w.publish(msg)
	}
	w.publish(event("untraced", 1))
	w.await(func() string { return cmp.Diff(1, len(recorder.Ended())) })
	w.awaitCounts(3, 0, 0)
	span := recorder.Ended()[0]
	if span.SpanContext().TraceID().String() != "0af7651916cd43dd8448eb211c80319c" || span.Parent().SpanID().String() != "b7ad6b7169203331" {
		t.Errorf("span %v has parent %v", span.SpanContext(), span.Parent())
	}
	if n := len(recorder.Ended()); n != 1 {
		t.Errorf("%d spans for one sampled event", n)
	}
}
