package stand

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"go.yaml.in/yaml/v3"
)

// overlay writes the topology file as it is started into a folder: with keys laid over the configuration of all processes, also where a process of the
// file has the key for itself. A file that cannot be read as YAML, or without a place for configuration, is taken as it is: the topology says best
// what is wrong with it.
func overlay(file string, over map[string]any, dir string) (path string, err error) {
	content, err := os.ReadFile(file)
	if err != nil {
		return "", err
	}
	if len(over) == 0 {
		return file, nil
	}
	var document yaml.Node
	if yaml.Unmarshal(content, &document) != nil || len(document.Content) == 0 || document.Content[0].Kind != yaml.MappingNode {
		return file, nil
	}
	root := document.Content[0]
	keys := slices.Sorted(maps.Keys(over))
	config := section(root, "config")
	if config == nil {
		return file, nil
	}
	for _, key := range keys {
		if err := set(config, key, over[key]); err != nil {
			return "", err
		}
	}
	if processes := find(root, "processes"); processes != nil && processes.Kind == yaml.MappingNode {
		for i := 1; i < len(processes.Content); i += 2 {
			if err := lay(processes.Content[i], keys, over); err != nil {
				return "", err
			}
		}
	}
	var out bytes.Buffer
	encoder := yaml.NewEncoder(&out)
	encoder.SetIndent(2)
	if err := encoder.Encode(&document); err != nil {
		return "", fmt.Errorf("%s: %w", file, err)
	}
	path = filepath.Join(dir, filepath.Base(file))
	return path, os.WriteFile(path, out.Bytes(), 0o600)
}

// lay lays keys over the configuration that a process has for itself.
func lay(process *yaml.Node, keys []string, over map[string]any) error {
	if process.Kind != yaml.MappingNode {
		return nil
	}
	if find(process, "config") == nil {
		return nil
	}
	own := section(process, "config")
	if own == nil {
		return nil
	}
	for _, key := range keys {
		if err := set(own, key, over[key]); err != nil {
			return err
		}
	}
	return nil
}

// set sets a key of a configuration. The dotted key stands at the end, and so wins over what stands above, be that dotted or nested.
func set(config *yaml.Node, key string, value any) error {
	var node yaml.Node
	if err := node.Encode(value); err != nil {
		return fmt.Errorf("the value of %s: %w", key, err)
	}
	name := &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}
	config.Content = append(config.Content, name, &node)
	return nil
}

// find gives the value of a key, nil if there is none.
func find(mapping *yaml.Node, key string) *yaml.Node {
	for i := 0; i+1 < len(mapping.Content); i += 2 {
		if mapping.Content[i].Value == key {
			return mapping.Content[i+1]
		}
	}
	return nil
}

// section gives the mapping below a key, which is made if it is not there; nil if something else is there.
func section(root *yaml.Node, key string) *yaml.Node {
	value := find(root, key)
	switch {
	case value == nil:
		value = &yaml.Node{Kind: yaml.MappingNode}
		root.Content = append(root.Content, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: key}, value)
	case value.Kind == yaml.AliasNode: // what is laid over this is not meant for whoever else refers to it
		*value = yaml.Node{Kind: value.Alias.Kind, Tag: value.Alias.Tag, Content: slices.Clone(value.Alias.Content)}
	case value.Tag == "!!null":
		*value = yaml.Node{Kind: yaml.MappingNode}
	}
	if value.Kind != yaml.MappingNode {
		return nil
	}
	return value
}
