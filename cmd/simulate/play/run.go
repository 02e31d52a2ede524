package play

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"kerf/cmd/simulate/actors"
	"kerf/cmd/simulate/api"
	"kerf/cmd/simulate/day"
	"kerf/cmd/simulate/rules"
	"kerf/platform/clock"
	"kerf/platform/geo"
)

// play is one run.
type play struct {
	config Config
	client *api.Client
	clock  *clock.Clock // the server's, as told when the run began
	staff  *api.Caller  // support and administrator: follows all orders, reads the books
	watch  *watch

	kitchens map[string]*kitchen
	couriers []*actors.Courier
	diners   []*diner // one for each order of the day

	start  time.Time   // the domain instant that the day's times count from
	before rules.Books // when the run began
	over   chan struct{}

	imbalances []int64 // of the ledger, as read while the day was played

	counts  counts
	holders holders
	reads   reads
}

// Run plays a day to its end and reports. The error is a *SpeedError, ctx's cause, or that the server does not answer or refuses what a day
// cannot be without; what went wrong with single orders, and what did not hold, is in the report.
func Run(ctx context.Context, config Config) (Report, error) {
	began := time.Now()
	config = config.withDefaults()
	client, err := api.New(api.Config{Target: config.Target, Patience: config.Patience})
	if err != nil {
		return Report{}, err
	}
	defer client.Close()
	p := &play{config: config, client: client, watch: newWatch(), kitchens: map[string]*kitchen{}, over: make(chan struct{})}
	p.staff = client.As(api.Identity{Roles: []string{"support", "admin"}, TTL: tokenSeconds})
	if p.clock, err = clockOf(ctx, client, config); err != nil {
		if ctx.Err() != nil {
			return Report{}, fmt.Errorf("stopped while waiting for %s: %w", config.Target, context.Cause(ctx))
		}
		return Report{}, err
	}
	stop := p.tell(ctx)
	defer stop()
	if p.before, err = rules.ReadBooks(ctx, p.staff); err != nil {
		return Report{}, err
	}
	if err := p.setUp(ctx); err != nil {
		return Report{}, fmt.Errorf("setting the day up: %w", err)
	}
	setUp := time.Since(began)
	if err := p.playDay(ctx); err != nil {
		return Report{}, fmt.Errorf("playing the day: %w", err)
	}
	played := time.Since(began) - setUp
	p.counts.phase.Store(phaseQuiet)
	after, err := rules.AwaitQuiet(ctx, p.staff, 2*shortestPoll, config.Patience)
	if err != nil {
		return Report{}, fmt.Errorf("waiting for quiet: %w", err)
	}
	p.counts.phase.Store(phaseCheck)
	found, pages, err := p.check(ctx, after)
	if err != nil {
		return Report{}, fmt.Errorf("checking the day: %w", err)
	}
	report := p.report(found, pages, after)
	report.SetUpSeconds, report.PlayedSeconds = seconds(setUp), seconds(played)
	report.WallSeconds = seconds(time.Since(began))
	return report, nil
}

// clockOf makes a clock that follows the server's. It is right to half of what the question takes, since machines need not agree on the time.
func clockOf(ctx context.Context, client *api.Client, config Config) (*clock.Clock, error) {
	var told api.Clock
	anyone := client.As(api.Identity{})
	if err := anyone.Get(ctx, "/v1/clock", &told); err != nil { // dials, and waits for a server that is just starting
		return nil, err
	}
	asked := time.Now()
	if err := anyone.Get(ctx, "/v1/clock", &told); err != nil {
		return nil, err
	}
	if config.Speed != 0 && told.Speed != config.Speed {
		return nil, &SpeedError{Target: client.Target(), Want: config.Speed, Actual: told.Speed}
	}
	return clock.New(clock.List{{Wall: asked.Add(time.Since(asked) / 2).UTC(), Domain: told.Now, Speed: told.Speed}})
}

// playDay lets everybody do what they do, until the last order has ended and the last courier is off shift.
func (p *play) playDay(ctx context.Context) error {
	following, stopFollowing := context.WithCancel(ctx)
	defer stopFollowing()
	group, ctx := errgroup.WithContext(ctx)
	connected := make(chan struct{})
	group.Go(func() error {
		if err := p.watch.follow(following, p.staff, sync.OnceFunc(func() { close(connected) })); following.Err() == nil {
			return fmt.Errorf("following the orders: %w", err)
		}
		return nil
	})
	select {
	case <-connected:
	case <-ctx.Done():
		return group.Wait()
	}
	p.start = p.clock.Now()
	p.counts.phase.Store(phasePlay)
	for i, c := range p.config.Day.Couriers {
		group.Go(func() error { return p.courier(ctx, c, p.couriers[i]) })
	}
	orders, ordersCtx := errgroup.WithContext(ctx)
	for i := range p.config.Day.Orders {
		orders.Go(func() error { return p.order(ordersCtx, i) })
	}
	group.Go(func() error { return p.audit(ctx) })
	group.Go(func() error {
		defer stopFollowing()
		defer close(p.over)
		return orders.Wait()
	})
	return group.Wait()
}

// courier works its shift.
func (p *play) courier(ctx context.Context, c day.Courier, actor *actors.Courier) error {
	if err := p.clock.Wait(ctx, p.start.Add(c.On)); err != nil {
		return err
	}
	select {
	case <-p.over: // nobody orders any more
		return nil
	default:
	}
	if err := actor.Work(ctx, positionOf(c.At), p.start.Add(c.Off), p.over); err != nil {
		return fmt.Errorf("courier %s: %w", c.ID, err)
	}
	return nil
}

// auditEvery is how often, on the wall, the ledger is read while the day is played.
const auditEvery = 2 * time.Second

// audit reads the ledger again and again: it must balance at every read (I5).
func (p *play) audit(ctx context.Context) error {
	tick := time.NewTicker(auditEvery)
	defer tick.Stop()
	for {
		select {
		case <-p.over:
			return nil
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-tick.C:
		}
		var ledger api.Ledger
		if err := p.staff.Get(ctx, "/v1/ledger", &ledger); err != nil {
			return err
		}
		if ledger.Imbalance != 0 {
			p.imbalances = append(p.imbalances, ledger.Imbalance)
		}
	}
}

// counts are what the progress line shows.
type counts struct {
	phase                                          atomic.Value
	ready, of                                      atomic.Int64
	placed, delivered, cancelled, rejected, failed atomic.Int64
	onShift, busy                                  atomic.Int64
}

// tell reports progress until stop is called, which waits for the last word.
func (p *play) tell(ctx context.Context) (stop func()) {
	p.counts.phase.Store(phaseSetUp)
	ended, told := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(told)
		tick := time.NewTicker(250 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				p.config.Progress(p.progress())
			case <-ended:
				return
			case <-ctx.Done():
				return
			}
		}
	}()
	return sync.OnceFunc(func() { close(ended); <-told })
}

func (p *play) progress() Progress {
	c := &p.counts
	now := Progress{
		Phase: c.phase.Load().(string), Ready: c.ready.Load(), Of: c.of.Load(), Placed: c.placed.Load(), Delivered: c.delivered.Load(),
		Cancelled: c.cancelled.Load() + c.rejected.Load(), OnShift: c.onShift.Load(), Busy: c.busy.Load(), Retries: p.client.Retries(),
	}
	now.Open = now.Placed - now.Delivered - now.Cancelled
	if now.Phase == phasePlay {
		now.At = p.clock.Now().Sub(p.start)
	}
	return now
}

func positionOf(at day.Point) geo.Position {
	latitude, longitude := at.Degrees()
	return geo.Position{Latitude: latitude, Longitude: longitude}
}

func seconds(d time.Duration) float64 { return float64(d.Milliseconds()) / 1000 }
