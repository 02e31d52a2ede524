// Package webtest is what tests of the public API share: a client, and the comparison of what is sent with what is described.
package webtest

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Schemas compares documents, structs by the name of their schema, with an OpenAPI description: each schema is closed, describes
// the members that are sent, and requires those that are never left out.
func Schemas(t *testing.T, openapi []byte, documents map[string]any) {
	t.Helper()
	var described struct {
		Components struct {
			Schemas map[string]struct {
				AdditionalProperties any            `yaml:"additionalProperties"`
				Required             []string       `yaml:"required"`
				Properties           map[string]any `yaml:"properties"`
			} `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(openapi, &described); err != nil {
		t.Fatal(err)
	}
	for name, document := range documents {
		schema := described.Components.Schemas[name]
		if schema.AdditionalProperties != false {
			t.Errorf("there is no closed schema %s", name)
		}
		sent, always := members(reflect.TypeOf(document))
		slices.Sort(sent)
		slices.Sort(always)
		if properties := slices.Sorted(maps.Keys(schema.Properties)); !slices.Equal(properties, sent) {
			t.Errorf("%s describes %v, sent are %v", name, properties, sent)
		}
		if required := slices.Sorted(slices.Values(schema.Required)); !slices.Equal(required, always) {
			t.Errorf("%s requires %v, always sent are %v", name, required, always)
		}
	}
}

// members lists the JSON members of a struct, and those that are never left out.
func members(of reflect.Type) (all, always []string) {
	for field := range of.Fields() {
		name, options, tagged := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			a, r := members(field.Type)
			all, always = append(all, a...), append(always, r...)
			continue
		case name == "-" || name == "" && !tagged:
			continue
		}
		all = append(all, name)
		if options != "omitempty" && options != "omitzero" {
			always = append(always, name)
		}
	}
	return all, always
}
