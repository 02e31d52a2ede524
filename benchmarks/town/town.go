package town

import (
	"cmp"
	"context"
	"crypto/rand"
	"crypto/tls"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"kerf/benchmarks/load"
	"kerf/cmd/simulate/api"
	"kerf/cmd/simulate/rules"
)

// Size is how many people live in a town.
type Size struct {
	// Restaurants, Diners and Couriers; 8, 128 and 32 if zero.
	Restaurants, Diners, Couriers int
	// Seed decides who lives where and orders what.
	Seed uint64
}

// Config says where a town is, and how big. Zero fields mean the default.
type Config struct {
	// URL is where the API answers, such as http://127.0.0.1:8080.
	URL string
	Size
	// TLS is for https: the roots that certificates must come from; nil means those of the machine.
	TLS *tls.Config
	// Patience bounds each wait of a journey: for the approval, for a courier, for the delivery to show; 30 s.
	Patience time.Duration
}

func (c Config) withDefaults() Config {
	c.Restaurants, c.Diners, c.Couriers = cmp.Or(c.Restaurants, 8), cmp.Or(c.Diners, 128), cmp.Or(c.Couriers, 32)
	c.Patience = cmp.Or(c.Patience, 30*time.Second)
	return c
}

// Town is a city whose people are registered, with menus open to all of them and couriers on shift.
type Town struct {
	config Config
	client *api.Client // of what nobody measures
	staff  *api.Caller // support and administrator
	lines  *lines

	restaurants []*restaurant
	diners      []*diner
	couriers    []*courier

	speed  float64
	since  time.Time   // on the server's clock, a little before the first order
	before rules.Books // before it, too
	// settling is how long a check waits for what may yet come right.
	settling time.Duration

	live   *live
	orders orders
	keys   keys

	// caller is that of the load that began last. Couriers look for offers by it.
	caller atomic.Pointer[load.Caller]
	poll   atomic.Int64 // nanoseconds between a free courier's looks
	riding sync.Once

	over     context.Context // ends when the town is closed
	close    context.CancelFunc
	children sync.WaitGroup
}

// Settle makes a town of a size at a URL. The error is one clear line: the server cannot be reached, grants no tokens, or refuses what a town
// cannot be without.
func Settle(ctx context.Context, url string, size Size) (*Town, error) {
	return Config{URL: url, Size: size}.Settle(ctx)
}

// Settle is the function of the same name, with all that can be chosen. What follows the server goes on until Close, not until ctx ends.
func (c Config) Settle(ctx context.Context) (*Town, error) {
	c = c.withDefaults()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost, transport.DisableCompression = 0, 2*atOnce, true
	transport.TLSClientConfig = c.TLS
	client, err := api.New(api.Config{Target: c.URL, Transport: transport})
	if err != nil {
		return nil, err
	}
	t := &Town{config: c, client: client, lines: newLines(client.Target(), c.TLS), live: newLive(), orders: newOrders(), keys: newKeys(), settling: defaultSettling}
	t.staff = client.As(api.Identity{Roles: []string{"support", "admin"}, TTL: tokenSeconds})
	t.poll.Store(int64(defaultPoll))
	t.over, t.close = context.WithCancel(context.WithoutCancel(ctx))
	if err := t.reach(ctx); err != nil {
		t.Close()
		return nil, err
	}
	if err := t.settle(ctx); err != nil {
		t.Close()
		return nil, fmt.Errorf("settling a town at %s: %w", client.Target(), err)
	}
	return t, nil
}

// reach asks the server what time it is and for a token, once each and without patience: a wrong address is to be told at once.
func (t *Town) reach(ctx context.Context) error {
	target := t.client.Target()
	hasty, err := api.New(api.Config{Target: target, Attempt: 5 * time.Second, Patience: time.Nanosecond, Transport: t.client.Transport()})
	if err != nil {
		return err
	}
	var clock api.Clock
	if err := hasty.As(api.Identity{}).Get(ctx, "/v1/clock", &clock); err != nil {
		return fmt.Errorf("%s does not answer as a Kerf does: %w", target, err)
	}
	if clock.Speed <= 0 || clock.Now.IsZero() {
		return fmt.Errorf("%s does not answer as a Kerf does: GET /v1/clock tells no time", target)
	}
	if _, err := hasty.As(api.Identity{Roles: []string{"admin"}}).Token(ctx); err != nil {
		return fmt.Errorf("%s grants no tokens, which a town needs for its people (POST /v1/tokens is for clients on the server's own machine): %w",
			target, err)
	}
	t.speed = clock.Speed
	// The two clocks agree to some milliseconds of the wall, which are seconds of the domain at a high speed.
	t.since = clock.Now.Add(-time.Duration(clock.Speed * float64(time.Second)))
	return nil
}

// Close lets go of connections, of the couriers and of the live stream.
func (t *Town) Close() {
	t.close()
	t.children.Wait()
	t.lines.close()
	t.client.Close()
}

// Speed is that of the server's clock: domain seconds in a second.
func (t *Town) Speed() float64 { return t.speed }

// follow begins to hear the live stream of all orders, and waits until the server has begun to answer it.
func (t *Town) follow(ctx context.Context) error {
	connected := make(chan struct{})
	failed := make(chan error, 1)
	t.children.Go(func() {
		err := t.staff.Follow(t.over, "/v1/tracking/events", sync.OnceFunc(func() { close(connected) }), t.live.hear)
		if t.over.Err() == nil {
			t.live.end(cmp.Or(err, errors.New("the server ended it")))
		}
		failed <- err
	})
	select {
	case <-connected:
		return nil
	case err := <-failed:
		return fmt.Errorf("following all orders: %w", cmp.Or(err, errors.New("the stream has ended")))
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// keys are idempotency keys: of one town, and each used once.
type keys struct {
	prefix string
	last   *atomic.Uint64
}

func newKeys() keys { return keys{rand.Text() + "-", new(atomic.Uint64)} }

func (k keys) next(to []byte) []byte {
	return fmt.Append(append(to, k.prefix...), k.last.Add(1))
}
