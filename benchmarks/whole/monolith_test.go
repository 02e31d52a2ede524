package whole

import (
	"net/http"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// clients is how many diners a loaded server has at a time.
const clients = 64

// times are samples of one duration.
type times []time.Duration

func (t times) quantile(q float64) time.Duration {
	if len(t) == 0 {
		return 0
	}
	sorted := slices.Sorted(slices.Values(t))
	return sorted[min(len(sorted)-1, int(q*float64(len(sorted))))]
}

func (t times) report(b *testing.B, name string) {
	b.ReportMetric(milliseconds(t.quantile(.50)), name+"-p50-ms")
	b.ReportMetric(milliseconds(t.quantile(.95)), name+"-p95-ms")
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

func BenchmarkIdle(b *testing.B) {
	server := startKerf(b, b.TempDir())
	c := settle(b, server, 10, 0)
	follower := follow(b, server.addr, c.admin)
	by, byFloor := dial(b, server.addr), dial(b, startFloor(b).addr)
	onFloor := &city{b: b, restaurants: c.restaurants, diners: c.diners}
	defer by.close()
	defer byFloor.close()

	var placed, approved, floor times
	number := 0
	round := func() bool {
		began := time.Now()
		o, err := c.place(by, number)
		if err != nil {
			b.Fatal(err)
		}
		placed = append(placed, time.Since(began))
		ok := follower.await(o.ID, "APPROVED")
		approved = append(approved, time.Since(began))

		began = time.Now()
		if _, err := onFloor.place(byFloor, number); err != nil {
			b.Fatal(err)
		}
		floor = append(floor, time.Since(began))
		number++
		return ok
	}
	for range 50 { // until caches are warm and statements prepared
		round()
	}
	placed, approved, floor = nil, nil, nil
	defer server.profile(b, "idle", 3)()
	for b.Loop() {
		if !round() {
			break
		}
	}
	placed.report(b, "place")
	approved.report(b, "approved")
	floor.report(b, "floor")
	b.ReportMetric(float64(placed.quantile(.5))/float64(floor.quantile(.5)), "place/floor")
}

func BenchmarkCapacity(b *testing.B) {
	server := startKerf(b, b.TempDir())
	c := settle(b, server, 2*clients, 0)
	by := dial(b, server.addr)
	defer by.close()
	l := c.load(clients, follow(b, server.addr, c.admin), nil)
	l.run(20 * clients)
	c.quiet(by)
	l.forget()

	defer server.profile(b, "capacity", 5)()
	used, own := server.cpu(b), cpu(b, os.Getpid())
	began := time.Now()
	for b.Loop() {
		l.next()
	}
	l.wait()
	took := time.Since(began)
	c.quiet(by)
	settled := time.Since(began)
	n := float64(len(l.placed))
	b.ReportMetric(n/took.Seconds(), "orders/s")
	b.ReportMetric(n/settled.Seconds(), "settled-orders/s")
	b.ReportMetric(milliseconds(server.cpu(b)-used)/n, "server-cpu-ms/order")
	b.ReportMetric(milliseconds(cpu(b, os.Getpid())-own)/n, "clients-cpu-ms/order")
	l.placed.report(b, "place")
	l.done.report(b, "approved")
}

func BenchmarkLife(b *testing.B) {
	b.Run("Moderate", func(b *testing.B) { benchmarkLife(b, "life-moderate", clients, time.Second/20) })
	b.Run("Busy", func(b *testing.B) { benchmarkLife(b, "life-busy", 4*clients, 0) })
}

// lifeSpeed has the dispatch rounds, every 30 s of the city's time, come as often as in a day that is played at speed.
const lifeSpeed = "60"

// benchmarkLife has orders made one after another, a time apart unless that is 0, and at most so many under way: most of them wait for a
// courier to look.
func benchmarkLife(b *testing.B, name string, lives int, every time.Duration) {
	server := startKerf(b, b.TempDir(), "-speed", lifeSpeed)
	c := settle(b, server, lives, lives+lives/4)
	by := dial(b, server.addr)
	defer by.close()
	follower, couriers := follow(b, server.addr, c.admin), c.send()
	l := c.load(lives, follower, func(by *client, o order) bool {
		return couriers.fulfil(by, o) && follower.await(o.ID, "DELIVERED")
	})
	l.run(lives)
	c.quiet(by)
	l.forget()
	idle, began := server.cpu(b), time.Now()
	time.Sleep(3 * time.Second)
	idlePerSecond := milliseconds(server.cpu(b)-idle) / time.Since(began).Seconds()

	defer server.profile(b, name, 10)()
	used, own := server.cpu(b), cpu(b, os.Getpid())
	began = time.Now()
	tick := time.NewTicker(max(every, 1))
	defer tick.Stop()
	for b.Loop() {
		if every > 0 {
			<-tick.C
		}
		l.next()
	}
	l.wait()
	c.quiet(by)
	took := time.Since(began)
	n := float64(len(l.done))
	b.ReportMetric(n/took.Seconds(), "orders/s")
	b.ReportMetric(milliseconds(server.cpu(b)-used)/n, "server-cpu-ms/order")
	b.ReportMetric(milliseconds(cpu(b, os.Getpid())-own)/n, "clients-cpu-ms/order")
	b.ReportMetric(idlePerSecond, "idle-cpu-ms/s")
	l.done.report(b, "life")
	b.ReportMetric(server.resident(b), "RSS-MiB")
}

func BenchmarkCatchUp(b *testing.B) {
	data := b.TempDir()
	server := startKerf(b, data)
	c := settle(b, server, 2*clients, 0)
	var ready, caught times
	orders := 0
	for b.Loop() {
		b.StopTimer()
		acknowledged := c.killUnderLoad(40 * clients)
		b.StartTimer()
		began := time.Now()
		c.server = startKerf(b, data)
		ready = append(ready, c.server.readyIn)
		by := dial(b, c.server.addr)
		c.quiet(by)
		caught = append(caught, time.Since(began))
		b.StopTimer()
		c.check(by, acknowledged)
		by.close()
		orders += len(acknowledged)
		b.StartTimer()
	}
	ready.report(b, "ready")
	caught.report(b, "caught-up")
	b.ReportMetric(float64(orders)/float64(len(caught)), "acknowledged-orders/kill")
}

// killUnderLoad has all diners order until n are approved, kills the server in the midst, and returns the orders that it had acknowledged.
func (c *city) killUnderLoad(n int) []order {
	follower := follow(c.b, c.server.addr, c.admin)
	var (
		mu           sync.Mutex
		acknowledged []order
		approved     atomic.Int64
		diners       sync.WaitGroup
	)
	killed := make(chan struct{})
	for i := range clients {
		diners.Go(func() {
			by := dial(c.b, c.server.addr)
			defer by.close()
			for number := i; ; number += clients {
				o, err := c.place(by, number)
				if err != nil {
					<-killed // a request may fail for no other reason
					return
				}
				mu.Lock()
				acknowledged = append(acknowledged, o)
				mu.Unlock()
				if !follower.awaitUnless(o.ID, "APPROVED", killed) {
					return
				}
				if approved.Add(1) == int64(n) {
					c.server.kill()
					close(killed)
				}
			}
		})
	}
	diners.Wait()
	return acknowledged
}

// check fails the benchmark unless each order is there and approved.
func (c *city) check(by *client, orders []order) {
	for _, o := range orders {
		var page struct{ Order struct{ State string } }
		if by.do(http.MethodGet, "/v1/orders/"+o.ID, o.by.token, nil, &page); page.Order.State != "APPROVED" {
			c.b.Errorf("order %s was acknowledged and is %q", o.ID, page.Order.State)
		}
	}
}

func BenchmarkStart(b *testing.B) {
	b.Run("Fresh", func(b *testing.B) {
		benchmarkStart(b, b.TempDir)
	})
	b.Run("Used", func(b *testing.B) {
		data := b.TempDir()
		server := startKerf(b, data)
		c := settle(b, server, clients, 0)
		l := c.load(clients, follow(b, server.addr, c.admin), nil)
		l.run(2000)
		l.wait()
		server.kill()
		benchmarkStart(b, func() string { return data })
	})
}

func benchmarkStart(b *testing.B, data func() string) {
	var ready times
	var resident float64
	for b.Loop() {
		server := startKerf(b, data())
		ready = append(ready, server.readyIn)
		resident = server.resident(b)
		server.kill()
	}
	ready.report(b, "ready")
	b.ReportMetric(resident, "RSS-MiB")
}
