package codec

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"runtime"
	"syscall"
	"time"

	"github.com/klauspost/compress/zstd"
	"google.golang.org/protobuf/proto"
)

// Cost is what a format costs, as means over all events.
type Cost struct {
	// Events is how many different ones were written and read back; Unequal how many of them did not come back as they were.
	Events  int      `json:"events"`
	Unequal []string `json:"unequal,omitempty"`
	// Bytes of an event, of an event compressed alone, and of an event in a batch of 100 that is compressed as a whole, as brokers keep them.
	Bytes     float64 `json:"bytes"`
	Zstd      float64 `json:"zstd_bytes"`
	ZstdBatch float64 `json:"zstd_batch_bytes"`
	// CPU time of this process, its garbage collector included, and allocations, of one event.
	EncodeNS     float64 `json:"encode_cpu_ns"`
	DecodeNS     float64 `json:"decode_cpu_ns"`
	EncodeAllocs float64 `json:"encode_allocs"`
	DecodeAllocs float64 `json:"decode_allocs"`
	// Each is the bytes of each event, by its name.
	Each map[string]float64 `json:"each"`
}

const (
	variants = 20  // of each golden event
	batch    = 100 // events that are compressed together
)

// Measure writes and reads variants of the events, drawn from the seed, for the given time in each direction.
func Measure(format string, golden []proto.Message, seed uint64, each time.Duration) (Cost, error) {
	c, ok := For(format)
	if !ok {
		return Cost{}, fmt.Errorf("there is no format %q", format)
	}
	events := corpus(golden, seed)
	cost := Cost{Events: len(events), Each: map[string]float64{}}
	encoded := make([][]byte, len(events))
	for i, event := range events {
		name := string(event.ProtoReflect().Descriptor().Name())
		data, err := c.Encode(event)
		if err != nil {
			return cost, fmt.Errorf("write %s as %s: %w", name, format, err)
		}
		back := event.ProtoReflect().New().Interface()
		if err := c.Decode(data, back); err != nil {
			return cost, fmt.Errorf("read %s from %s: %w", name, format, err)
		}
		if !proto.Equal(event, back) {
			cost.Unequal = append(cost.Unequal, name)
		}
		encoded[i] = data
		cost.Bytes += float64(len(data)) / float64(len(events))
		cost.Each[name] += float64(len(data)) / variants
	}
	var err error
	if cost.Zstd, cost.ZstdBatch, err = compressed(encoded); err != nil {
		return cost, err
	}
	cost.EncodeNS, cost.EncodeAllocs, err = spent(len(events), each, func(i int) error {
		_, err := c.Encode(events[i])
		return err
	})
	if err != nil {
		return cost, err
	}
	cost.DecodeNS, cost.DecodeAllocs, err = spent(len(events), each, func(i int) error {
		return c.Decode(encoded[i], events[i].ProtoReflect().New().Interface())
	})
	return cost, err
}

// corpus mixes variants of the events: what comes one after the other is not of one kind.
func corpus(golden []proto.Message, seed uint64) []proto.Message {
	random := rand.New(rand.NewPCG(seed, 0))
	events := make([]proto.Message, 0, variants*len(golden))
	for range variants {
		for _, event := range golden {
			events = append(events, Vary(event, random))
		}
	}
	random.Shuffle(len(events), func(i, j int) { events[i], events[j] = events[j], events[i] })
	return events
}

// compressed returns the mean size of an event that is compressed alone, and in a batch, where each has its length before it.
func compressed(encoded [][]byte) (alone, batched float64, err error) {
	z, err := zstd.NewWriter(nil, zstd.WithEncoderConcurrency(1))
	if err != nil {
		return 0, 0, err
	}
	defer z.Close()
	var whole, one, together int
	for start := 0; start+batch <= len(encoded); start += batch {
		var joined []byte
		for _, data := range encoded[start : start+batch] {
			one += len(z.EncodeAll(data, nil))
			joined = append(binary.AppendUvarint(joined, uint64(len(data))), data...)
		}
		together += len(z.EncodeAll(joined, nil))
		whole += batch
	}
	if whole == 0 {
		return 0, 0, fmt.Errorf("%d events are less than a batch", len(encoded))
	}
	return float64(one) / float64(whole), float64(together) / float64(whole), nil
}

// spent runs f over and over for about the given time, after a quarter of it to warm up, and returns the CPU time and the allocations of one call.
func spent(n int, wanted time.Duration, f func(i int) error) (ns, allocs float64, err error) {
	if err := during(n, wanted/4, f, new(int)); err != nil {
		return 0, 0, err
	}
	runtime.GC()
	var before, after runtime.MemStats
	calls := 0
	runtime.ReadMemStats(&before)
	began := cpuTime()
	err = during(n, wanted, f, &calls)
	used := cpuTime() - began
	runtime.ReadMemStats(&after)
	return float64(used.Nanoseconds()) / float64(calls), float64(after.Mallocs-before.Mallocs) / float64(calls), err
}

// during runs f over all of n, as often as the time allows, at least once.
func during(n int, wanted time.Duration, f func(i int) error, calls *int) error {
	for start := time.Now(); ; {
		for i := range n {
			if err := f(i); err != nil {
				return err
			}
		}
		*calls += n
		if time.Since(start) >= wanted {
			return nil
		}
	}
}

// cpuTime is the CPU time of this process, user and system.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0 // which it never is
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
