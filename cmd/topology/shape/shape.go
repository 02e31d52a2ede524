package shape

import (
	"errors"
	"io/fs"
	"iter"
	"os"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"kerf/cmd/topology/servers"
)

// Shape is a topology file.
type Shape struct {
	Path      string
	TLS       bool     // between processes
	Servers   []string // in the file's order
	Processes []Process
	Config    Settings // for all processes
	serversAt int
}

// ServersLine is where the servers stand in the file.
func (s Shape) ServersLine() int { return s.serversAt }

// Process is a set of modules that run together.
type Process struct {
	Name     string
	Modules  []string // in the order in which they are known
	Replicas int
	Config   Settings // for this process
	Line     int
	// ReplicasLine is where the number of replicas stands.
	ReplicasLine int
}

// MaxReplicas is far more than one machine can use.
const MaxReplicas = 16

// Read reads a topology file. Modules are the names of those that there are. The shape is as whole as the problems let it be.
func Read(path string, modules []string) (Shape, *Problems) {
	r := &reader{Problems: &Problems{Path: path}, modules: modules, shape: Shape{Path: path}}
	content, err := os.ReadFile(path)
	if err != nil {
		var reason *fs.PathError
		if errors.As(err, &reason) {
			err = reason.Err
		}
		r.Add(0, "%s", err)
		return r.shape, r.Problems
	}
	r.read(content)
	return r.shape, r.Problems
}

type reader struct {
	*Problems
	modules   []string
	shape     Shape
	tls       *bool
	processes bool // there is the key
	placed    map[string]string
}

func (r *reader) read(content []byte) {
	var document yaml.Node
	if err := yaml.Unmarshal(content, &document); err != nil {
		r.Add(0, "%s", oneLine(err))
		return
	}
	if len(document.Content) == 0 || isNull(document.Content[0]) {
		r.Add(0, "is empty: want processes, servers or both")
		return
	}
	root := document.Content[0]
	if root.Kind != yaml.MappingNode {
		r.Add(root.Line, "want the keys processes, servers, config, tls")
		return
	}
	r.placed = map[string]string{}
	for key, value := range pairs(root) {
		switch key.Value {
		case "servers":
			r.servers(key, value)
		case "processes":
			r.readProcesses(value)
		case "config":
			r.shape.Config = r.settings(value)
		case "tls":
			r.tls = new(bool)
			if value.Decode(r.tls) != nil {
				r.Add(value.Line, "tls: want true or false")
			}
		default:
			r.Add(key.Line, "%s: no such key; there are processes, servers, config and tls", key.Value)
		}
	}
	if len(r.shape.Processes) == 0 && len(r.shape.Servers) == 0 && len(r.all) == 0 {
		r.Add(root.Line, "want processes, servers or both")
	}
	r.shape.TLS = len(r.shape.Processes) > 1
	if r.tls != nil {
		r.shape.TLS = *r.tls
	}
	r.missing()
}

func (r *reader) servers(key, value *yaml.Node) {
	r.shape.serversAt = key.Line
	for _, node := range r.list("servers", value) {
		switch name := node.Value; {
		case !slices.Contains(servers.Names, name):
			r.Add(node.Line, "servers: there is no server %s; there are %s", name, strings.Join(servers.Names, ", "))
		case slices.Contains(r.shape.Servers, name):
			r.Add(node.Line, "servers: %s is named twice", name)
		default:
			r.shape.Servers = append(r.shape.Servers, name)
		}
	}
	if slices.Contains(r.shape.Servers, servers.Kfake) && slices.Contains(r.shape.Servers, servers.Kafka) {
		r.Add(key.Line, "servers: kfake stands in for kafka; name one of them")
	}
}

// list gives the words of a list, or the one word that stands for it.
func (r *reader) list(key string, node *yaml.Node) []*yaml.Node {
	nodes := []*yaml.Node{node}
	if node.Kind == yaml.SequenceNode {
		nodes = node.Content
	}
	return slices.DeleteFunc(slices.Clone(nodes), func(n *yaml.Node) bool {
		bad := n.Kind != yaml.ScalarNode || isNull(n)
		if bad && !isNull(node) {
			r.Add(n.Line, "%s: want a list of names", key)
		}
		return bad
	})
}

func (r *reader) readProcesses(node *yaml.Node) {
	r.processes = true
	if isNull(node) {
		return
	}
	if node.Kind != yaml.MappingNode {
		r.Add(node.Line, "processes: want names, each with its modules")
		return
	}
	for key, value := range pairs(node) {
		r.process(key, value)
	}
}

var processName = regexp.MustCompile(`^[a-z]([a-z0-9-]{0,30}[a-z0-9])?$`)

func (r *reader) process(key, value *yaml.Node) {
	p := Process{Name: key.Value, Replicas: 1, Line: key.Line, ReplicasLine: key.Line}
	at := "processes." + p.Name
	switch {
	case !processName.MatchString(p.Name):
		r.Add(key.Line, "%s: want a name of small letters, digits and hyphens", at)
	case slices.Contains(servers.Names, p.Name):
		r.Add(key.Line, "%s: is the name of a server", at)
	case slices.ContainsFunc(r.shape.Processes, func(o Process) bool { return o.Name == p.Name }):
		r.Add(key.Line, "%s: is there twice", at)
	}
	if value.Kind != yaml.MappingNode {
		r.Add(value.Line, "%s: want {modules: [...]}", at)
		return
	}
	modules := false
	for k, v := range pairs(value) {
		switch k.Value {
		case "modules":
			modules = true
			p.Modules = r.place(p.Name, at, v)
		case "replicas":
			p.ReplicasLine = k.Line
			if v.Decode(&p.Replicas) != nil || p.Replicas < 1 || p.Replicas > MaxReplicas {
				r.Add(v.Line, "%s.replicas: want 1 to %d", at, MaxReplicas)
				p.Replicas = 1
			}
		case "config":
			p.Config = r.settings(v)
		default:
			r.Add(k.Line, "%s.%s: no such key; there are modules, replicas and config", at, k.Value)
		}
	}
	if !modules {
		r.Add(key.Line, "%s: modules: is missing", at)
	}
	r.shape.Processes = append(r.shape.Processes, p)
}

// place reads a process's modules, each of which has one place.
func (r *reader) place(process, at string, node *yaml.Node) (placed []string) {
	named := r.list(at+".modules", node)
	for _, n := range named {
		names := []string{n.Value}
		switch {
		case n.Value == "all" && len(named) > 1:
			r.Add(n.Line, "%s.modules: all stands alone", at)
			continue
		case n.Value == "all":
			names = r.modules
		case !slices.Contains(r.modules, n.Value):
			r.Add(n.Line, "%s.modules: there is no module %s; there are %s", at, n.Value, strings.Join(r.modules, ", "))
			continue
		}
		for _, name := range names {
			switch other := r.placed[name]; other {
			case "":
				r.placed[name] = process
				placed = append(placed, name)
			case process:
				r.Add(n.Line, "%s.modules: %s is named twice", at, name)
			default:
				r.Add(n.Line, "%s.modules: %s is placed in %s already; what runs twice are replicas of one process", at, name, other)
			}
		}
	}
	if len(named) == 0 {
		r.Add(node.Line, "%s.modules: want all, or a list of names", at)
	}
	slices.SortFunc(placed, func(a, b string) int { return slices.Index(r.modules, a) - slices.Index(r.modules, b) })
	return placed
}

// missing complains of modules that are nowhere. One that the configuration has an address for runs elsewhere.
func (r *reader) missing() {
	if len(r.shape.Processes) == 0 {
		return
	}
	var nowhere []string
	for _, name := range r.modules {
		if r.placed[name] == "" && !r.shape.Config.Has("remotes."+name) {
			nowhere = append(nowhere, name)
		}
	}
	if len(nowhere) > 0 {
		r.Add(r.shape.Processes[0].Line, "processes: %s is placed nowhere, and config.remotes does not say where it runs", strings.Join(nowhere, ", "))
	}
}

// pairs walks over the keys and values of a mapping.
func pairs(node *yaml.Node) iter.Seq2[*yaml.Node, *yaml.Node] {
	return func(yield func(key, value *yaml.Node) bool) {
		for i := 0; i+1 < len(node.Content); i += 2 {
			value := node.Content[i+1]
			if value.Kind == yaml.AliasNode {
				value = value.Alias
			}
			if !yield(node.Content[i], value) {
				return
			}
		}
	}
}

func isNull(node *yaml.Node) bool { return node.Kind == yaml.ScalarNode && node.Tag == "!!null" }

func oneLine(err error) string {
	return strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "yaml: ")), " ")
}
