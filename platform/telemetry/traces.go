package telemetry

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracegrpc"
	"go.opentelemetry.io/otel/exporters/stdout/stdouttrace"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// TraceConfig says where traces go.
type TraceConfig struct {
	Traces   string  `koanf:"traces"`   // off, otlp or file
	Endpoint string  `koanf:"endpoint"` // otlp: URL of an OTLP collector's gRPC port; https:// means TLS
	File     string  `koanf:"file"`     // file: where spans are appended as JSON, one a line
	Sample   float64 `koanf:"sample"`   // share, 0 to 1, of the traces that begin here; others follow their parent
}

// Exporters that a TraceConfig may name.
var Exporters = []string{"off", "otlp", "file"}

// Traces is a provider of tracers, and what has to be closed with it.
type Traces struct {
	Provider trace.TracerProvider

	close func(context.Context) error
}

// NewTraces makes a provider as cfg says. A collector that does not answer is no
// error: its spans are dropped.
func NewTraces(ctx context.Context, cfg TraceConfig, version string, log *slog.Logger) (*Traces, error) {
	switch cfg.Traces {
	case "off":
		return &Traces{Provider: noop.NewTracerProvider(), close: func(context.Context) error { return nil }}, nil
	case "otlp":
		exporter, err := otlptracegrpc.New(ctx, otlptracegrpc.WithEndpointURL(cfg.Endpoint))
		if err != nil {
			return nil, fmt.Errorf("traces to %s: %w", cfg.Endpoint, err)
		}
		return newTraces(exporter, cfg.Sample, version, log), nil
	case "file":
		file, err := os.OpenFile(cfg.File, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err != nil {
			return nil, fmt.Errorf("traces: %w", err)
		}
		exporter, err := stdouttrace.New(stdouttrace.WithWriter(file))
		if err != nil {
			return nil, errors.Join(fmt.Errorf("traces to %s: %w", cfg.File, err), file.Close())
		}
		return newTraces(&fileExporter{exporter, file}, cfg.Sample, version, log), nil
	}
	return nil, fmt.Errorf("traces: %q is unknown", cfg.Traces)
}

// newTraces makes a provider that exports in the background, in batches.
func newTraces(exporter sdktrace.SpanExporter, sample float64, version string, log *slog.Logger) *Traces {
	provider := sdktrace.NewTracerProvider(
		sdktrace.WithBatcher(&loggingExporter{exporter, log}),
		sdktrace.WithSampler(sdktrace.ParentBased(sdktrace.TraceIDRatioBased(sample))),
		sdktrace.WithResource(resource.NewSchemaless(
			attribute.String("service.name", "kerf"),
			attribute.String("service.version", version),
		)),
	)
	return &Traces{Provider: provider, close: provider.Shutdown}
}

// Close sends what has not been sent, within the context's deadline.
func (t *Traces) Close(ctx context.Context) error { return t.close(ctx) }

// loggingExporter logs that spans are lost; by itself the SDK tells a global
// handler.
type loggingExporter struct {
	sdktrace.SpanExporter
	log *slog.Logger
}

func (e *loggingExporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	if err := e.SpanExporter.ExportSpans(ctx, spans); err != nil {
		e.log.Warn("spans lost", "count", len(spans), "error", err)
	}
	return nil
}

// fileExporter closes the file that the exporter writes to.
type fileExporter struct {
	sdktrace.SpanExporter
	file io.Closer
}

func (e *fileExporter) Shutdown(ctx context.Context) error {
	return errors.Join(e.SpanExporter.Shutdown(ctx), e.file.Close())
}
