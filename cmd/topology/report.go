package main

import (
	"context"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"kerf/cmd/topology/console"
	"kerf/cmd/topology/layout"
	"kerf/cmd/topology/status"
	"kerf/cmd/topology/supervise"
	"kerf/platform/rpc/localca"
)

// report keeps what is known of the children, writes it to the status file and shows it on the terminal.
type report struct {
	topology *topology
	news     chan struct{}

	writing sync.Mutex // the file: a later look at the children is written later

	mu       sync.Mutex
	state    string
	started  time.Time
	children map[string]supervise.Status

	// Only run's goroutine uses these.
	usage console.Usage
	last  map[string]console.Row
}

func newReport(t *topology) *report {
	return &report{
		topology: t, news: make(chan struct{}, 1), state: "starting", started: time.Now(), children: map[string]supervise.Status{},
	}
}

// set says what the topology is doing; it stands in the file when set returns.
func (r *report) set(state string) {
	r.note(func() { r.state = state })
	r.write()
}

func (r *report) child(name string, s supervise.Status) { r.note(func() { r.children[name] = s }) }

func (r *report) note(change func()) {
	r.mu.Lock()
	change()
	r.mu.Unlock()
	select {
	case r.news <- struct{}{}:
	default: // there are news already that nobody has looked at
	}
}

// ready are the public addresses of the gateways that serve, or of all if none says so.
func (r *report) ready(gateways []layout.Instance) (addresses []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, i := range gateways {
		if r.children[i.Name].State == supervise.Ready {
			addresses = append(addresses, i.Listen)
		}
	}
	if len(addresses) == 0 {
		for _, i := range gateways {
			addresses = append(addresses, i.Listen)
		}
	}
	return addresses
}

// redrawEvery is how often the table shows new figures.
const redrawEvery = 2 * time.Second

// run writes and draws whatever is new, until ctx ends; what was news by then is written still.
func (r *report) run(ctx context.Context) {
	redraw := make(<-chan time.Time)
	if r.topology.console.Terminal() {
		ticker := time.NewTicker(redrawEvery)
		defer ticker.Stop()
		redraw = ticker.C
	}
	for {
		select {
		case <-r.news:
			r.write()
			r.draw(false)
		case <-redraw:
			r.draw(true)
		case <-ctx.Done():
			r.write()
			r.topology.console.Table(nil)
			return
		}
	}
}

func (r *report) write() {
	r.writing.Lock()
	defer r.writing.Unlock()
	if err := status.Write(r.topology.data, r.snapshot()); err != nil {
		r.topology.log.Warn("the status could not be written", "error", err)
	}
}

// snapshot is the status at this moment.
func (r *report) snapshot() status.Topology {
	r.mu.Lock()
	defer r.mu.Unlock()
	t := r.topology
	s := status.Topology{
		PID: os.Getpid(), State: r.state, Config: t.config, Started: r.started.UTC(), TLS: t.layout.Shape.TLS,
		Processes: []status.Process{}, Servers: []status.Server{},
	}
	if t.layout.Listen != "" {
		s.URL = t.url()
	}
	if s.TLS {
		s.CA = localca.Path(filepath.Join(t.data, "ca"))
	}
	for _, i := range t.layout.Instances {
		s.Processes = append(s.Processes, status.Process{
			Child: r.of(i.Name), Process: i.Process, Replica: i.Replica, Modules: i.Modules, Internal: i.Internal, Listen: i.Listen, Config: configFile(i),
		})
	}
	for _, server := range t.servers {
		for _, program := range server.Programs {
			entry := status.Server{Child: r.of(program.Name)}
			if program.Name == server.Name {
				entry.Address, entry.URL = parts(server.Address)
			}
			s.Servers = append(s.Servers, entry)
		}
	}
	return s
}

// of is a child's status. The caller has the lock.
func (r *report) of(name string) status.Child {
	s, ok := r.children[name]
	if !ok {
		s = supervise.Status{State: supervise.Pending, Since: r.started}
	}
	return status.Child{Name: name, State: string(s.State), PID: s.PID, Restarts: s.Restarts, Since: s.Since.UTC(), Ended: s.Ended}
}

// parts are the host:port of an address, and the address itself if it is a URL.
func parts(address string) (hostPort, whole string) {
	u, err := url.Parse(address)
	if err != nil || u.Host == "" {
		return address, ""
	}
	return u.Host, address
}

// draw shows the table. Figures of use are taken only when it is time for new ones: they are differences.
func (r *report) draw(figures bool) {
	if !r.topology.console.Terminal() {
		return
	}
	s := r.snapshot()
	var rows []console.Row
	add := func(c status.Child, what string) {
		row := console.Row{Name: c.Name, PID: c.PID, State: c.State, Uptime: time.Since(c.Since), Restarts: c.Restarts, CPU: -1, What: what}
		if c.PID > 0 && figures {
			row.CPU, row.PSS = r.usage.Take(c.PID)
		} else if last, ok := r.last[c.Name]; ok && last.PID == c.PID {
			row.CPU, row.PSS = last.CPU, last.PSS
		}
		rows = append(rows, row)
	}
	for _, server := range s.Servers {
		add(server.Child, server.Address)
	}
	for _, p := range s.Processes {
		add(p.Child, strings.Join(p.Modules, ", "))
	}
	r.last = map[string]console.Row{}
	for _, row := range rows {
		r.last[row.Name] = row
	}
	head := fmt.Sprintf("── %s: %s %s", filepath.Base(s.Config), s.State, s.URL)
	r.topology.console.Table(console.Format(head, rows))
}
