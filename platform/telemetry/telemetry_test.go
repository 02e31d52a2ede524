package telemetry_test

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/trace"

	"kerf/platform/bus"
	"kerf/platform/telemetry"
)

var (
	quiet   = slog.New(slog.DiscardHandler)
	logging = telemetry.LogConfig{Level: "info", Format: "auto"}
	off     = telemetry.TraceConfig{Traces: "off"}
)

func TestLogIsJSONUnlessOnATerminalAndKeepsItsLevel(t *testing.T) {
	var out bytes.Buffer
	log, err := telemetry.NewLogger(&out, telemetry.LogConfig{Level: "warn", Format: "auto"})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("hidden")
	log.Warn("shown", "order_id", "o1")

	var line map[string]any
	if err := json.Unmarshal(out.Bytes(), &line); err != nil || line["msg"] != "shown" || line["order_id"] != "o1" {
		t.Errorf("log = %s (%v)", out.String(), err)
	}
	out.Reset()
	log, err = telemetry.NewLogger(&out, telemetry.LogConfig{Level: "info", Format: "text"})
	if err != nil {
		t.Fatal(err)
	}
	log.Info("shown")
	if !strings.Contains(out.String(), "msg=shown") {
		t.Errorf("log = %s", out.String())
	}
}

func TestEveryNamedLevelAndFormatWorksAndOthersDoNot(t *testing.T) {
	for _, level := range telemetry.Levels {
		for _, format := range telemetry.Formats {
			if _, err := telemetry.NewLogger(&bytes.Buffer{}, telemetry.LogConfig{Level: level, Format: format}); err != nil {
				t.Error(err)
			}
		}
	}
	for _, cfg := range []telemetry.LogConfig{{Level: "loud", Format: "text"}, {Level: "info", Format: "xml"}, {}} {
		if _, err := telemetry.NewLogger(&bytes.Buffer{}, cfg); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

func TestTwoApplicationsInOneProcessServeTheirOwnMetrics(t *testing.T) {
	for _, version := range []string{"one", "two"} {
		tel, err := telemetry.New(t.Context(), logging, off, version, &bytes.Buffer{})
		if err != nil {
			t.Fatal(err)
		}
		answer := httptest.NewRecorder()
		tel.MetricsHandler().ServeHTTP(answer, httptest.NewRequest(http.MethodGet, "/metrics", nil))

		body := answer.Body.String()
		for _, metric := range []string{"go_goroutines", "process_resident_memory_bytes", `version="` + version + `"`} {
			if answer.Code != http.StatusOK || !strings.Contains(body, metric) {
				t.Errorf("status %d, no %s", answer.Code, metric)
			}
		}
		if err := tel.Close(t.Context()); err != nil {
			t.Error(err)
		}
	}
}

// fileTraces gives traces that go to a file, and what has arrived there.
func fileTraces(t *testing.T, sample float64) (*telemetry.Traces, func() []span) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "spans.jsonl")
	traces, err := telemetry.NewTraces(t.Context(), telemetry.TraceConfig{Traces: "file", File: path, Sample: sample}, "test", quiet)
	if err != nil {
		t.Fatal(err)
	}
	return traces, func() (spans []span) {
		t.Helper()
		if err := traces.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
		file, err := os.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer file.Close()
		for decoder := json.NewDecoder(file); decoder.More(); {
			var s span
			if err := decoder.Decode(&s); err != nil {
				t.Fatal(err)
			}
			spans = append(spans, s)
		}
		return spans
	}
}

type span struct {
	Name        string
	SpanContext struct{ TraceID, SpanID string }
	Parent      struct{ SpanID string }
}

// A trace goes on from a caller's header through the call's handler into the event
// that it causes, and into the handler of that event, wherever that one runs.
func TestOneTraceSpansCallAndEvent(t *testing.T) {
	traces, collect := fileTraces(t, 1)
	tracer := traces.Provider.Tracer("test")

	ctx, caller := tracer.Start(context.Background(), "caller")
	header := http.Header{}
	propagation.TraceContext{}.Inject(ctx, propagation.HeaderCarrier(header))

	ctx = propagation.TraceContext{}.Extract(context.Background(), propagation.HeaderCarrier(header))
	ctx, handler := tracer.Start(ctx, "handler")
	event := bus.NewMessage(bus.Meta{
		ID: "e1", Type: "kerf.orders.OrderPlaced", Source: "orders", Subject: "o1", Key: "o1", Sequence: 1,
		Time: time.Now(), ContentType: "application/protobuf", SchemaVersion: 1, TraceParent: bus.TraceParentOf(ctx),
	}, nil)
	handler.End()
	caller.End()

	received := message.NewMessage(event.UUID, event.Payload) // by the other end of a broker
	received.Metadata = event.Metadata
	meta, err := bus.MetaOf(received)
	if err != nil {
		t.Fatal(err)
	}
	_, listener := tracer.Start(bus.WithTraceParent(context.Background(), meta.TraceParent), "listener")
	listener.End()

	spans := map[string]span{}
	for _, s := range collect() {
		spans[s.Name] = s
	}
	if len(spans) != 3 {
		t.Fatalf("spans: %+v", spans)
	}
	id := caller.SpanContext().TraceID().String()
	for name, s := range spans {
		if s.SpanContext.TraceID != id {
			t.Errorf("%s is of another trace", name)
		}
	}
	if spans["handler"].Parent.SpanID != spans["caller"].SpanContext.SpanID ||
		spans["listener"].Parent.SpanID != spans["handler"].SpanContext.SpanID {
		t.Errorf("not a chain: %+v", spans)
	}
}

func TestSamplingFollowsTheParent(t *testing.T) {
	traces, collect := fileTraces(t, 0)
	tracer := traces.Provider.Tracer("test")
	sampled := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

	_, root := tracer.Start(context.Background(), "root")
	root.End()
	_, child := tracer.Start(bus.WithTraceParent(context.Background(), sampled), "child")
	child.End()

	spans := collect()
	if len(spans) != 1 || spans[0].Name != "child" {
		t.Errorf("spans = %+v", spans)
	}
}

func TestTracesThatAreOffRecordNothingAndPassTheParentOn(t *testing.T) {
	traces, err := telemetry.NewTraces(t.Context(), off, "test", quiet)
	if err != nil {
		t.Fatal(err)
	}
	parent := "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	ctx, span := traces.Provider.Tracer("test").Start(bus.WithTraceParent(context.Background(), parent), "span")

	if span.IsRecording() {
		t.Error("a span is recorded")
	}
	if got := bus.TraceParentOf(ctx); got != parent {
		t.Errorf("traceparent = %q", got)
	}
}

func TestUnusableTraceConfigIsAnError(t *testing.T) {
	for _, cfg := range []telemetry.TraceConfig{
		{Traces: "jaeger"},
		{Traces: "file", File: filepath.Join(t.TempDir(), "missing", "spans")},
	} {
		if _, err := telemetry.NewTraces(t.Context(), cfg, "test", quiet); err == nil {
			t.Errorf("%+v is accepted", cfg)
		}
	}
}

func TestCollectorThatDoesNotAnswerHoldsNobodyUp(t *testing.T) {
	cfg := telemetry.TraceConfig{Traces: "otlp", Endpoint: "http://127.0.0.1:1", Sample: 1}
	traces, err := telemetry.NewTraces(t.Context(), cfg, "test", quiet)
	if err != nil {
		t.Fatal(err)
	}
	_, span := traces.Provider.Tracer("test").Start(context.Background(), "span")
	span.End()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	traces.Close(ctx) // returns: the test would time out
}

// BenchmarkSpan measures starting and ending a span, with its parent handed on to
// an event: off should cost next to nothing beside sampled.
func BenchmarkSpan(b *testing.B) {
	for name, cfg := range map[string]telemetry.TraceConfig{
		"none":      {},
		"off":       off,
		"unsampled": {Traces: "otlp", Endpoint: "http://127.0.0.1:1", Sample: 0},
		"sampled":   {Traces: "otlp", Endpoint: "http://127.0.0.1:1", Sample: 1},
	} {
		b.Run(name, func(b *testing.B) {
			var tracer trace.Tracer
			if name != "none" {
				traces, err := telemetry.NewTraces(b.Context(), cfg, "test", quiet)
				if err != nil {
					b.Fatal(err)
				}
				tracer = traces.Provider.Tracer("bench")
			}
			b.ReportAllocs()
			for b.Loop() {
				ctx := context.Background()
				if tracer != nil {
					var span trace.Span
					ctx, span = tracer.Start(ctx, "operation")
					span.End()
				}
				if bus.TraceParentOf(ctx) == "unlikely" {
					b.Fatal()
				}
			}
		})
	}
}
