package load_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"kerf/benchmarks/load"
)

// Shoppers come at 200 a second, look, and buy; what they do in the first 100 ms does not count.
func ExampleOpen() {
	shop := httptest.NewServer(http.NotFoundHandler())
	defer shop.Close()
	get := func(path string) func(context.Context, int) error {
		return func(ctx context.Context, _ int) error {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, shop.URL+path, nil)
			if err != nil {
				return err
			}
			response, err := http.DefaultClient.Do(request)
			if err != nil {
				return err
			}
			defer response.Body.Close()
			if response.StatusCode != http.StatusNotFound {
				return errors.New(response.Status)
			}
			return nil
		}
	}
	recorder := load.NewRecorder()
	time.AfterFunc(100*time.Millisecond, recorder.Begin)
	outcome, err := load.Open{
		Arrivals: load.First(100, load.Poisson(200, 1)), Workers: 16, MaxJourneys: 100, Recorder: recorder,
		Journey: func(ctx context.Context, c *load.Caller, n int, intended time.Time) error {
			looked, err := c.Do(ctx, "look", intended, get("/goods"))
			if err != nil {
				return err
			}
			_, err = c.Do(ctx, "buy", looked, get("/till"))
			return err
		},
	}.Run(context.Background())
	counted := recorder.Snapshot()
	p50, told := load.Percentile(counted.Ops["buy"].Response, 50)
	fmt.Println(outcome.Completed, outcome.Missed, err)
	fmt.Println(counted.Arrivals < 100, len(counted.Errors), told && p50 > 0)
	// Output:
	// 100 0 <nil>
	// true 0 true
}
