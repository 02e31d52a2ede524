package stand

import (
	"context"
	"debug/buildinfo"
	"runtime/debug"

	"kerf/cmd/topology/servers"
)

// Server is a broker or database that may be installed.
type Server struct {
	Name string // kfake, kafka, rabbitmq, postgres
	// Version of it, "" if it is not installed, or cannot be told.
	Version string
	// Missing says in one line what is not here and what to do, "" if it is installed.
	Missing string
}

// Servers tells which there are here. The launcher, which may be "", tells the version of kfake, which is in it.
func Servers(ctx context.Context, launcher string) []Server {
	var all []Server
	for _, name := range servers.Names {
		s := Server{Name: name}
		if err := servers.Check(name); err != nil {
			s.Missing = err.Error()
		} else if name == servers.Kfake {
			s.Version = kfakeVersion(launcher)
		} else {
			s.Version = servers.Version(ctx, name)
		}
		all = append(all, s)
	}
	return all
}

// kfakeModule is where kfake comes from.
const kfakeModule = "github.com/twmb/franz-go/pkg/kfake"

// kfakeVersion is that of the module in the launcher, or in this program if there is no launcher yet; "" if it is in neither.
func kfakeVersion(launcher string) string {
	info, _ := debug.ReadBuildInfo()
	if launcher != "" {
		if read, err := buildinfo.ReadFile(launcher); err == nil {
			info = read
		}
	}
	if info == nil {
		return ""
	}
	for _, dependency := range info.Deps {
		if dependency.Path == kfakeModule {
			return dependency.Version
		}
	}
	return ""
}
