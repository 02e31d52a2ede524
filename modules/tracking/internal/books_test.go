package internal

import (
	"context"
	"slices"
	"sync"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules/tracking/trackingapi"
	"kerf/platform/bus"
	"kerf/platform/fault"
	"kerf/platform/identity"
	"kerf/platform/outbox"
	"kerf/platform/platformpb"
)

// books are the modules whose events a test publishes: their sequences, their logs, and what keeps them from being read.
type books struct {
	mu       sync.Mutex
	sequence map[string]int64 // by source and order
	entries  map[Source]*[outbox.Partitions][]*platformpb.LogEntry
	reads    int
	returned map[string]int // how often each event was read, by id
	// before, if set, is called before each page is read, without the lock; its error is the answer.
	before func(source Source, read int) error
}

func newBooks() *books {
	b := &books{sequence: map[string]int64{}, entries: map[Source]*[outbox.Partitions][]*platformpb.LogEntry{}, returned: map[string]int{}}
	for _, s := range sources {
		b.entries[s] = &[outbox.Partitions][]*platformpb.LogEntry{}
	}
	return b
}

// next is the number of an order's next event of a source.
func (b *books) next(source Source, order string) int64 {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sequence[string(source)+order]++
	return b.sequence[string(source)+order]
}

// skipTo has the next event follow upon a number that was not given.
func (b *books) skipTo(source Source, order string, number int64) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sequence[string(source)+order] = number
}

// write puts an event into its module's log.
func (b *books) write(meta bus.Meta, data []byte) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.entries[Source(meta.Source)] == nil {
		return
	}
	log := &b.entries[Source(meta.Source)][bus.Partition(meta.Key, outbox.Partitions)]
	position := int64(1)
	if n := len(*log); n > 0 {
		position = (*log)[n-1].GetPosition() + 1
	}
	*log = append(*log, &platformpb.LogEntry{
		Position: position, Id: meta.ID, Type: meta.Type, Source: meta.Source, Subject: meta.Subject, Key: meta.Key, Sequence: meta.Sequence,
		Time: timestamppb.New(meta.Time), SchemaVersion: int32(meta.SchemaVersion), Data: data,
	})
}

// forget prunes what a module said of an order up to a sequence.
func (b *books) forget(source Source, order string, upTo int64) {
	b.drop(source, order, func(sequence int64) bool { return sequence <= upTo })
}

// lose has a module's log end with a sequence of an order.
func (b *books) lose(source Source, order string, after int64) {
	b.drop(source, order, func(sequence int64) bool { return sequence > after })
}

func (b *books) drop(source Source, order string, gone func(sequence int64) bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	log := &b.entries[source][bus.Partition(order, outbox.Partitions)]
	*log = slices.DeleteFunc(slices.Clone(*log), func(e *platformpb.LogEntry) bool {
		return e.GetKey() == order && gone(e.GetSequence())
	})
}

// interfere has f called before each page is read.
func (b *books) interfere(f func(source Source, read int) error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.before = f
}

// views are the folds of everything that was published, by order.
func (b *books) views() map[string]*trackingapi.View {
	b.mu.Lock()
	defer b.mu.Unlock()
	says := map[string]hearing{}
	for _, h := range hearings() {
		says[h.event] = h
	}
	views := map[string]*trackingapi.View{}
	for _, s := range sources {
		for _, log := range b.entries[s] {
			for _, e := range log {
				f, err := says[e.GetType()].fact(bus.Meta{Type: e.GetType(), Sequence: e.GetSequence(), Time: e.GetTime().AsTime()}, e.GetData())
				if err != nil {
					panic(err)
				}
				if views[f.OrderID] == nil {
					views[f.OrderID] = &trackingapi.View{}
				}
				Fold(views[f.OrderID], f)
			}
		}
	}
	return views
}

func (b *books) logs() Logs {
	return Logs{Orders: book{b, Orders}, Kitchen: book{b, Kitchen}, Delivery: book{b, Delivery}, Accounting: book{b, Accounting}}
}

// book is the log of one module.
type book struct {
	*books
	source Source
}

func (b book) ReadLog(ctx context.Context, req *platformpb.ReadLogRequest) (*platformpb.ReadLogResponse, error) {
	if err := identity.RequireModule(ctx); err != nil {
		return nil, err
	}
	b.mu.Lock()
	b.reads++
	before, read := b.before, b.reads
	b.mu.Unlock()
	if before != nil {
		if err := before(b.source, read); err != nil {
			return nil, err
		}
	}
	if req.GetLimit() < 1 || req.GetLimit() > 1000 {
		return nil, fault.Invalid(fault.Violation{Field: "limit", Description: "must be 1 to 1000"})
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	res := &platformpb.ReadLogResponse{}
	for _, e := range b.entries[b.source][req.GetPartition()] {
		if e.GetPosition() > req.GetAfter() && len(res.Entries) < int(req.GetLimit()) {
			res.Entries = append(res.Entries, proto.CloneOf(e))
			b.returned[e.GetId()]++
		}
	}
	return res, nil
}
