package shape

import (
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Settings are keys of the configuration, with a dot for each level, and their values.
type Settings struct {
	Values map[string]any
	Lines  map[string]int // where each key stands in the file
}

// Has tells whether a key, or one below it, is set.
func (s Settings) Has(key string) bool {
	if _, ok := s.Values[key]; ok {
		return true
	}
	for k := range s.Values {
		if strings.HasPrefix(k, key+".") {
			return true
		}
	}
	return false
}

// Text is a key's value if it is a text, else "".
func (s Settings) Text(key string) string {
	text, _ := s.Values[key].(string)
	return text
}

// Line is where a key stands, or the section that it would be in; 0 if neither is there.
func (s Settings) Line(key string) int {
	for key != "" {
		if line := s.Lines[key]; line > 0 {
			return line
		}
		key = key[:max(0, strings.LastIndexByte(key, '.'))]
	}
	return 0
}

// Over lays settings over others.
func (s Settings) Over(under Settings) Settings {
	both := Settings{Values: maps.Clone(under.Values), Lines: maps.Clone(under.Lines)}
	if both.Values == nil {
		both = Settings{Values: map[string]any{}, Lines: map[string]int{}}
	}
	maps.Copy(both.Values, s.Values)
	maps.Copy(both.Lines, s.Lines)
	return both
}

// Nested gives the values as a file has them, section in section.
func Nested(flat map[string]any) map[string]any {
	nested := map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(flat)) {
		parts := strings.Split(key, ".")
		section := nested
		for _, part := range parts[:len(parts)-1] {
			below, ok := section[part].(map[string]any)
			if !ok {
				below = map[string]any{}
				section[part] = below
			}
			section = below
		}
		section[parts[len(parts)-1]] = flat[key]
	}
	return nested
}

// settings reads a section of the configuration.
func (r *reader) settings(node *yaml.Node) Settings {
	s := Settings{Values: map[string]any{}, Lines: map[string]int{}}
	if isNull(node) {
		return s
	}
	if node.Kind != yaml.MappingNode {
		r.Add(node.Line, "config: want keys with their values")
		return s
	}
	r.flatten(s, "", node)
	return s
}

// deepest is far below what the configuration has; an alias may lead back to itself.
const deepest = 8

func (r *reader) flatten(s Settings, prefix string, node *yaml.Node) {
	if strings.Count(prefix, ".") > deepest {
		r.Add(node.Line, "config: is nested too deeply")
		return
	}
	for key, value := range pairs(node) {
		name := prefix + key.Value
		s.Lines[name] = key.Line
		if value.Kind == yaml.MappingNode {
			r.flatten(s, name+".", value)
			continue
		}
		var decoded any
		if err := value.Decode(&decoded); err != nil {
			r.Add(value.Line, "config: %s: %s", name, oneLine(err))
			continue
		}
		if decoded != nil {
			s.Values[name] = decoded
		}
	}
}
