package modules

import (
	"context"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/labstack/echo/v4"

	"kerf/modules/gateway"
	"kerf/platform/audit"
	"kerf/platform/bus"
	"kerf/platform/database"
	"kerf/platform/inbox"
	"kerf/platform/outbox"
	"kerf/platform/platformpb"
	"kerf/platform/process"
	"kerf/platform/web"
	"kerf/platform/work"
)

// member is what the platform keeps for one module.
type member struct {
	db     *database.DB
	events *outbox.Outbox
	queue  *work.Queue
	log    *slog.Logger
}

// here makes a module that is placed in this process and has it take part, or returns nil: its callers reach it elsewhere then. A module that
// cannot take part is told of at the end of compose.
func here[M any](s *system, name string, construct func(*member) *M) *M {
	if !s.cfg.Has(name) {
		s.platforms[name] = platformpb.PlacePlatformService(s.seams.To(name), nil)
		return nil
	}
	m := s.member(name)
	module := construct(m)
	if err := s.join(name, m, module); err != nil && s.failed == nil {
		s.failed = err
	}
	return module
}

// elsewhere returns the modules that other processes have, with the paths that the gateway passes on to them.
func (s *system) elsewhere(prefixes map[string][]string) []gateway.Remote {
	var remotes []gateway.Remote
	for _, name := range stateful {
		if client := s.remotes[name]; client != nil {
			remotes = append(remotes, gateway.Remote{Prefixes: prefixes[name], Transport: client.Transport()})
		}
	}
	return remotes
}

// everybody returns a subscriber without a group, who hears all that is published while it listens.
func (s *system) everybody() message.Subscriber {
	subscriber, err := s.bus.Subscriber("")
	if err != nil && s.failed == nil {
		s.failed = fmt.Errorf("hearing couriers: %w", err)
	}
	return subscriber
}

// member returns a module's schema, with the outbox and the due work in it.
func (s *system) member(name string) *member {
	log, db := s.tel.Log.With("module", name), s.dbs[name]
	return &member{
		db: db, log: log,
		events: outbox.New(db, name, s.clock),
		queue:  work.New(db, s.clock, work.Config{}, s.tel.Log, s.tel.Metrics),
	}
}

// What a module may have beside the service of its contract.
type (
	listens interface{ Subscriptions() []inbox.Subscription }
	routes  interface{ Routes(*echo.Echo) }
	audits  interface {
		Audit(context.Context) (map[string]int64, error)
	}
	runs interface{ Run(context.Context) error }
)

// join has a module take part in the process: its events are published, its messages brought, its work done, its routes served.
func (s *system) join(name string, m *member, module any) error {
	relay := outbox.NewRelay(m.events, s.bus.Publisher(), outbox.RelayConfig{
		Bus: s.carrier(), Format: bus.Format(s.cfg.Bus.Format),
	}, s.tel.Log, s.tel.Metrics)
	s.group.Add(
		process.Component{Name: "relay " + name, Run: relay.Run},
		process.Component{Name: "work " + name, Run: m.queue.Run},
	)
	listener, err := s.listen(name, m, module)
	if err != nil {
		return err
	}
	var counters func(context.Context) (map[string]int64, error)
	if a, ok := module.(audits); ok {
		counters = a.Audit
	}
	s.platforms[name] = platformpb.PlacePlatformService(s.seams.To(name), audit.New(audit.Parts{
		Module: name, Outbox: m.events, Listener: listener, Work: m.queue, Counters: counters,
	}))
	if r, ok := module.(runs); ok {
		s.group.Add(process.Component{Name: name, Run: r.Run})
	}
	if r, ok := module.(routes); ok {
		r.Routes(s.edge.Echo)
	}
	return nil
}

// carrier names the bus with its broker and namespace: on another broker nothing is stored of what this one was given.
func (s *system) carrier() string {
	switch b := s.cfg.Bus; b.Driver {
	case "kafka":
		brokers := slices.Sorted(slices.Values(b.Brokers))
		return strings.TrimSpace("kafka " + strings.Join(brokers, ",") + " " + b.Namespace)
	case "amqp":
		return strings.TrimSpace("amqp " + placeOf(b.URL) + " " + b.Namespace)
	default:
		return b.Driver
	}
}

// placeOf is a broker's URL without who asks.
func placeOf(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return ""
	}
	return u.Host + u.Path
}

// listen subscribes a module. Its group is known to the bus when this returns, before anything is published.
func (s *system) listen(name string, m *member, module any) (*inbox.Listener, error) {
	var subscriptions []inbox.Subscription
	if l, ok := module.(listens); ok {
		subscriptions = l.Subscriptions()
	}
	if err := requireKnown(name, subscriptions); err != nil {
		return nil, err
	}
	listener := inbox.NewListener(name, m.db, subscriptions, inbox.Config{Tracer: s.tracer()}, s.clock, s.tel.Log, s.tel.Metrics)
	subscriber, err := s.bus.Subscriber(name)
	if err != nil {
		return nil, fmt.Errorf("%s cannot hear: %w", name, err)
	}
	return listener, listener.AddTo(s.router, subscriber)
}

// requireKnown returns an error unless a module subscribes to just what the table says: who publishes elsewhere goes by the table.
func requireKnown(name string, subscriptions []inbox.Subscription) error {
	var subscribed []string
	for _, subscription := range subscriptions {
		subscribed = append(subscribed, subscription.Module)
	}
	if !slices.Equal(slices.Sorted(slices.Values(subscribed)), slices.Sorted(slices.Values(hears[name]))) {
		return fmt.Errorf("%s subscribes to %s, and the table of who hears whom says %s", name, list(subscribed), list(hears[name]))
	}
	return nil
}

// pruneEvery is how often stored answers are looked through for old ones.
const pruneEvery = time.Hour

// prune deletes the stored answers to requests that are too old to be repeated.
func (s *system) prune(ctx context.Context) error {
	tick := time.NewTicker(pruneEvery)
	defer tick.Stop()
	for {
		for _, db := range s.dbs {
			if _, err := web.Prune(ctx, db, s.clock.Wall()); err != nil && ctx.Err() == nil {
				s.tel.Log.Error("old answers could not be deleted", "module", db.Module(), "error", err)
			}
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
