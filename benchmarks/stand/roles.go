package stand

import (
	"kerf/benchmarks/usage"
	"kerf/cmd/topology/servers"
)

// Groups are all processes by the parts they play: Kerf's own are modules; PostgreSQL with its backends is the database; every other server, with what it
// starts, is the broker; a planted burner; the topology; and this process, which generates the load.
func (s *Stand) Groups() ([]usage.Group, error) {
	now, err := s.Status()
	if err != nil {
		return nil, err
	}
	var groups []usage.Group
	for _, p := range now.Processes {
		groups = append(groups, usage.Group{Name: p.Name, Role: usage.Modules, PID: p.PID, Next: s.successor(p.Name)})
	}
	for _, server := range now.Servers {
		role := usage.Broker
		if server.Name == servers.Postgres {
			role = usage.Database
		}
		groups = append(groups, usage.Group{Name: server.Name, Role: role, PID: server.PID, Children: true, Next: s.successor(server.Name)})
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, b := range s.burners {
		groups = append(groups, usage.Group{Name: "burner", Role: usage.Planted, PID: b.cmd.Process.Pid})
	}
	return append(groups, usage.Group{Name: "topology", Role: usage.Launcher, PID: now.PID}, usage.Self()), nil
}

// successor tells which process is in the place of a former one.
func (s *Stand) successor(name string) func() int {
	return func() int {
		child, err := s.find(name)
		if err != nil {
			return 0
		}
		return child.PID
	}
}

// Watch makes a watcher of Groups. A burner must have been planted before.
func (s *Stand) Watch() (*usage.Watcher, error) {
	groups, err := s.Groups()
	if err != nil {
		return nil, err
	}
	return usage.Watch(groups...), nil
}
