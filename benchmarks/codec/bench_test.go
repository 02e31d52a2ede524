package codec_test

import (
	"math/rand/v2"
	"testing"

	"google.golang.org/protobuf/proto"

	"kerf/benchmarks/codec"
)

// BenchmarkEncode writes, and BenchmarkDecode reads, each of the golden events in turn; ns/op is of one event, and B/event its mean size.
func BenchmarkEncode(b *testing.B) {
	perFormat(b, func(b *testing.B, c codec.Codec, events []proto.Message, encoded [][]byte) {
		for i := 0; b.Loop(); i++ {
			if _, err := c.Encode(events[i%len(events)]); err != nil {
				b.Fatal(err)
			}
		}
		size := 0
		for _, data := range encoded {
			size += len(data)
		}
		b.ReportMetric(float64(size)/float64(len(encoded)), "B/event")
	})
}

func BenchmarkDecode(b *testing.B) {
	perFormat(b, func(b *testing.B, c codec.Codec, events []proto.Message, encoded [][]byte) {
		for i := 0; b.Loop(); i++ {
			n := i % len(events)
			if err := c.Decode(encoded[n], events[n].ProtoReflect().New().Interface()); err != nil {
				b.Fatal(err)
			}
		}
	})
}

func perFormat(b *testing.B, measure func(*testing.B, codec.Codec, []proto.Message, [][]byte)) {
	random := rand.New(rand.NewPCG(1, 1))
	var events []proto.Message
	for _, event := range golden(b) {
		events = append(events, codec.Vary(event, random))
	}
	for _, format := range codec.Formats {
		c, _ := codec.For(format)
		encoded := make([][]byte, len(events))
		for i, event := range events {
			data, err := c.Encode(event)
			if err != nil {
				b.Fatal(err)
			}
			encoded[i] = data
		}
		b.Run(format, func(b *testing.B) {
			b.ReportAllocs()
			measure(b, c, events, encoded)
		})
	}
}
