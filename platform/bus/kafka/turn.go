package kafka

import (
	"context"
	"sync"
	"time"

	"github.com/segmentio/kafka-go"
)

// turn is the part of a member in a generation of its group.
type turn struct {
	*subscription
	generation *kafka.Generation
	partitions []*partition
	// acks has a token when something was acked that is not committed.
	acks chan struct{}
}

func newTurn(s *subscription, g *kafka.Generation) *turn {
	t := &turn{subscription: s, generation: g, acks: make(chan struct{}, 1)}
	for _, a := range g.Assignments[s.topic] {
		p := &partition{turn: t, number: a.ID, committed: a.Offset}
		p.place.Store(a.Offset)
		t.partitions = append(t.partitions, p)
	}
	return t
}

// run reads the member's partitions and commits what was acked until the generation is over. What is in flight then has a moment to be
// acked, unless the subscription has ended.
func (t *turn) run(over <-chan struct{}) {
	hold, release := context.WithCancel(t.ctx)
	defer release()
	more, stop := context.WithCancel(hold)
	defer stop()
	var working sync.WaitGroup
	for _, p := range t.partitions {
		working.Go(func() { p.read(hold, more) })
	}
	working.Go(func() { t.watchEnds(more) })
	t.current.Store(t)
	t.commitAll(over)
	stop()
	grace := time.AfterFunc(t.bus.cfg.Timing.Grace, release)
	working.Wait()
	grace.Stop()
	t.commit()
	t.current.Store(nil)
}

// commitAll commits, a moment after each ack, what was acked by then.
func (t *turn) commitAll(over <-chan struct{}) {
	for {
		select {
		case <-t.acks:
		case <-over:
			return
		}
		gather := time.NewTimer(t.bus.cfg.Timing.Commit)
		select {
		case <-gather.C:
			t.commit()
		case <-over:
			gather.Stop()
			return
		}
	}
}

// commit tells the group the places that have moved. If it fails, they are told next time; if there is none, because the partitions
// belong to somebody else by now, messages come again that were acked.
func (t *turn) commit() {
	places := map[int]int64{}
	for _, p := range t.partitions {
		if place := p.place.Load(); place >= 0 && place != p.committed {
			places[p.number] = place
		}
	}
	if len(places) == 0 {
		return
	}
	if err := t.generation.CommitOffsets(map[string]map[int]int64{t.topic: places}); err != nil {
		t.commitErrors.Inc()
		t.bus.network.trouble("commit."+t.id(), "place of the group cannot be committed", "topic", t.topic, "group", t.group, "error", err)
		return
	}
	for _, p := range t.partitions {
		if place, ok := places[p.number]; ok {
			p.committed = place
		}
	}
}

// watchEnds asks now and then where the partitions end of which something is left to read: what was read last tells that only of the
// time when it was fetched.
func (t *turn) watchEnds(ctx context.Context) {
	for wait(ctx, t.bus.cfg.Timing.Lag) {
		var behind []kafka.OffsetRequest
		for _, p := range t.partitions {
			if p.lag() > 0 {
				behind = append(behind, kafka.LastOffsetOf(p.number))
			}
		}
		if len(behind) == 0 {
			continue
		}
		ends, err := t.bus.ends(ctx, t.topic, behind)
		if err != nil {
			continue // it is not worth more than another attempt
		}
		for _, p := range t.partitions {
			if end, ok := ends[p.number]; ok {
				p.end.Store(end)
			}
		}
	}
}

// lag returns how many messages are not acked, as far as is known.
func (t *turn) lag() int64 {
	var sum int64
	for _, p := range t.partitions {
		sum += p.lag()
	}
	return sum
}
