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

// Run serves on the address listen, host:port, until ctx ends. What is in the folder dir, which is made if need be, is served again. It
// prints nothing and fails if it cannot listen or read the folder.
func Run(ctx context.Context, listen, dir string) error {
	cluster, err := kfake.NewCluster(
		kfake.NumBrokers(1),
		kfake.DataDir(dir),
		kfake.GroupMinSessionTimeout(shortestSession),
		kfake.ListenFn(func(network, _ string) (net.Listener, error) { return net.Listen(network, listen) }),
	)
	if err != nil {
		return fmt.Errorf("kfake on %s with its data in %s: %w", listen, dir, err)
	}
	<-ctx.Done()
	cluster.Close()
	return nil
}
