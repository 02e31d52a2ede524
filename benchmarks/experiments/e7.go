package experiments

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"kerf/benchmarks/codec"
	"kerf/benchmarks/lab"
	"kerf/benchmarks/usage"
)

var (
	formatBytes        = lab.Metric{Name: "bytes", Label: "bytes of an event", Unit: "B", Headline: true}
	formatCPU          = lab.Metric{Name: "codec_cpu_ns", Label: "CPU to write and read an event", Unit: "ns", Headline: true}
	formatZstd         = lab.Metric{Name: "zstd_bytes", Label: "bytes, each compressed alone", Unit: "B"}
	formatZstdBatch    = lab.Metric{Name: "zstd_batch_bytes", Label: "bytes, 100 compressed together", Unit: "B", Headline: true}
	formatEncode       = lab.Metric{Name: "encode_cpu_ns", Label: "of that, to write", Unit: "ns"}
	formatDecode       = lab.Metric{Name: "decode_cpu_ns", Label: "of that, to read", Unit: "ns"}
	formatEncodeAllocs = lab.Metric{Name: "encode_allocs", Label: "allocations to write"}
	formatDecodeAllocs = lab.Metric{Name: "decode_allocs", Label: "allocations to read"}
)

func formats() lab.Experiment {
	return lab.Experiment{
		ID: "E7", Title: "Format",
		Question:   "What do JSON, Avro, Protobuf and XML cost for our own events, and what is left of that end to end?",
		Hypothesis: "Protobuf instead of JSON: 65 % fewer bytes, 80 % less CPU in the codec, and less than 15 % of the CPU per order of a whole split.",
		Published: []lab.Finding{
			{
				Source: "alecthomas, go_serialization_benchmarks, 2025",
				Found:  "write and read: JSON 4,773 ns and 151 B, Avro 1,787 ns and 47 B, Protobuf 643 ns and 51 B",
			},
		},
		Metrics: []lab.Metric{
			formatBytes, formatCPU, formatEncode, formatDecode, formatZstdBatch, formatZstd, formatEncodeAllocs, formatDecodeAllocs,
			totalPerOrder, modulesPerOrder, brokerPerOrder, placeP50, approvedP50, ordersPerSecond,
		},
		Arms: formatArms,
		Runs: func(p lab.Profile, _ lab.Arm) int { return p.Runs },
		Seconds: func(p lab.Profile, arm lab.Arm) float64 {
			if arm.Topology != "" {
				return 8 + (p.Warmup + p.Window).Seconds()
			}
			return 2.5*formatWindow(p).Seconds() + 0.5
		},
		Run:      code,
		Conclude: concludeFormats,
	}
}

// formatArms are the codecs alone, and a whole split for each format that the bus speaks.
func formatArms(s lab.Setting) (arms []lab.Arm, notes []string, err error) {
	for _, f := range codec.Formats {
		arms = append(arms, lab.Arm{Name: f, Label: formatLabels[f] + ", codec alone", Parameters: map[string]any{"format": f}})
	}
	for _, f := range []string{codec.JSON, codec.Protobuf} {
		arms = append(arms, lab.Arm{
			Name: "split-" + f, Label: "whole split, kfake, events as " + formatLabels[f], Topology: deployed(s, "split.yaml"), Kfake: true,
			Config: map[string]any{"bus.format": f},
		})
	}
	return arms, nil, nil
}

var formatLabels = map[string]string{codec.JSON: "JSON", codec.Protobuf: "Protobuf", codec.Avro: "Avro", codec.XML: "XML"}

// formatWindow is for how long events are written, and for how long read.
func formatWindow(p lab.Profile) time.Duration { return p.Window / 10 }

// code measures a codec in a process of its own, or drives the split whose bus speaks the format.
func code(ctx context.Context, t *lab.Trial) error {
	if t.Arm.Topology != "" {
		return drive{}.run(ctx, t)
	}
	window := formatWindow(t.Setting.Profile)
	t.Record.Facts = map[string]string{
		"warm-up and window": fmt.Sprintf("%s and %s to write, the same to read", window/4, window),
		"events":             "20 variants of each golden event of all modules, with ids, amounts, positions and instants of their own; a mean over all",
		"codecs": "JSON: protojson, as on the bus; Protobuf: google.golang.org/protobuf; Avro: hamba/avro on the generated structs, schema known to both sides; " +
			"XML: encoding/xml's tokens",
		"compression": "zstd of klauspost/compress at its default level",
		"CPU":         "user and system time of the process, garbage collection included",
	}
	t.Stage("write and read")
	return ask(ctx, t, "codec", "-format", t.Arm.Parameters["format"].(string), "-source", t.Setting.Source,
		"-seed", fmt.Sprint(t.Seed), "-each", window.String())
}

// codecChild measures one codec on all events.
func codecChild(_ context.Context, args []string, stdout, stderr io.Writer) error {
	flags := flag.NewFlagSet("codec", flag.ContinueOnError)
	flags.SetOutput(stderr)
	format := flags.String("format", codec.JSON, "json, avro, protobuf or xml")
	source := flags.String("source", ".", "the folder of Kerf's source")
	seed := flags.Uint64("seed", 1, "of the events")
	each := flags.Duration("each", time.Second, "for how long to write, and to read")
	if err := flags.Parse(args); err != nil {
		return err
	}
	golden, err := codec.Golden(*source)
	if err != nil {
		return err
	}
	watch := usage.Watch(usage.Group{Name: *format, Role: usage.Modules, PID: os.Getpid()})
	defer watch.Close()
	if err := watch.Begin(); err != nil {
		return err
	}
	cost, err := codec.Measure(*format, golden, *seed, *each)
	if err != nil {
		return err
	}
	used, err := watch.End()
	if err != nil {
		return err
	}
	told := coded(cost)
	told.beside("write and read", used)
	return tell(stdout, told)
}

// coded is what a run records of a codec. An event that did not come back as it was is a violation like any other.
func coded(cost codec.Cost) report {
	r := report{Values: map[string]float64{
		formatBytes.Name: cost.Bytes, formatZstd.Name: cost.Zstd, formatZstdBatch.Name: cost.ZstdBatch, formatCPU.Name: cost.EncodeNS + cost.DecodeNS,
		formatEncode.Name: cost.EncodeNS, formatDecode.Name: cost.DecodeNS, formatEncodeAllocs.Name: cost.EncodeAllocs, formatDecodeAllocs.Name: cost.DecodeAllocs,
	}, Samples: map[string]int64{}}
	for metric := range r.Values {
		r.Samples[metric] = int64(cost.Events)
	}
	for event, bytes := range cost.Each {
		r.Values[bytesOf(event)] = bytes
	}
	if len(cost.Unequal) > 0 {
		r.Violations, r.Told = map[string]int{"round trip": len(cost.Unequal)}, []string{fmt.Sprintf("read back otherwise than written: %v", cost.Unequal)}
	}
	return r
}

// bytesOf is the name under which the size of one event is kept.
func bytesOf(event string) string { return "bytes of " + event }
