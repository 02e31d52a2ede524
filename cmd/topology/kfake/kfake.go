// Package kfake runs a broker that speaks Kafka's protocol, without a JVM and with nothing to install: franz-go's kfake, as one broker
// with its data in a folder. Like Kafka it leaves syncing to the system: what it acknowledged outlives its own death, not the machine's.
// It does not replicate, throttle or fence as Kafka does, so what is measured or proven on it is proven for it.
package kfake

import (
	"context"
	"fmt"
	"net"
	"time"

	"github.com/twmb/franz-go/pkg/kfake"
)

// shortestSession is the shortest session of a group's member that is accepted. Kafka's default is 6 s; tests cannot wait so long.
const shortestSession = time.Second

// Broker is a broker that serves.
type Broker struct {
	cluster  *kfake.Cluster
	sessions *sessions
}

// Start serves on the address listen, host:port, which may have port 0. What is in the folder dir, which is made if need be, is served
// again; if dir is empty, data are kept in memory. It fails if it cannot listen or read the folder.
func Start(listen, dir string) (*Broker, error) {
	options := []kfake.Opt{
		kfake.NumBrokers(1),
		kfake.GroupMinSessionTimeout(shortestSession),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, listen) }),
	}
	if dir != "" {
		options = append(options, kfake.DataDir(dir))
	}
	cluster, err := kfake.NewCluster(options...)
	if err != nil {
		return nil, fmt.Errorf("kfake on %s with its data in %q: %w", listen, dir, err)
	}
	return &Broker{cluster: cluster, sessions: watchSessions(cluster)}, nil
}

// Address returns where the broker listens.
func (b *Broker) Address() string { return b.cluster.ListenAddrs()[0] }

// Close ends the broker and writes down what it has.
func (b *Broker) Close() {
	b.sessions.close()
	b.cluster.Close()
}

// Run serves as Start does until ctx ends. It prints nothing.
func Run(ctx context.Context, listen, dir string) error {
	b, err := Start(listen, dir)
	if err != nil {
		return err
	}
	<-ctx.Done()
	b.Close()
	return nil
}
