package town

import (
	"context"
	"crypto/tls"
	"time"
)

// Size is how many people live in a town.
type Size struct {
	// Restaurants, Diners and Couriers; 8, 128 and 32 if zero.
	Restaurants, Diners, Couriers int
	// Seed decides who orders what where.
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

// Town is a city whose people are registered, with menus open to all of them and couriers on shift.
type Town struct{}

// Settle makes a town of a size at a URL. The error is one clear line: the server cannot be reached, grants no tokens, or refuses what a town
// cannot be without.
func Settle(ctx context.Context, url string, size Size) (*Town, error) {
	return Config{URL: url, Size: size}.Settle(ctx)
}

// Settle is the function of the same name, with all that can be chosen.
func (c Config) Settle(ctx context.Context) (*Town, error) { return nil, nil }

// Close lets go of connections and of the live stream.
func (t *Town) Close() {}

// Speed is that of the server's clock: domain seconds in a second.
func (t *Town) Speed() float64 { return 1 }
