package internal

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"kerf/modules/restaurants/restaurantsapi"
	"kerf/platform/web"
)

// TestSchemasDescribeWhatIsSent compares the members of each JSON document with its schema: the same names, required unless they may be left out.
func TestSchemasDescribeWhatIsSent(t *testing.T) {
	var document struct {
		Components struct {
			Schemas map[string]struct {
				AdditionalProperties bool           `yaml:"additionalProperties"`
				Required             []string       `yaml:"required"`
				Properties           map[string]any `yaml:"properties"`
			} `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(restaurantsapi.OpenAPI, &document); err != nil {
		t.Fatal(err)
	}
	for name, view := range map[string]any{
		"Restaurant": restaurantView{}, "RestaurantHit": hitView{}, "RestaurantHits": web.Collection[hitView]{}, "Opening": openingView{}, "OpeningHours": Hours{},
		"Menu": menuView{}, "MenuItem": itemView{}, "ModifierGroup": Group{}, "ItemAvailability": availabilityView{}, "Quote": quoteView{}, "QuoteLine": lineView{},
		"QuoteOption": optionView{},
	} {
		schema, ok := document.Components.Schemas[name]
		if !ok || schema.AdditionalProperties {
			t.Errorf("there is no closed schema %s", name)
		}
		all, required := members(reflect.TypeOf(view))
		var described []string
		for property := range schema.Properties {
			described = append(described, property)
		}
		slices.Sort(described)
		slices.Sort(schema.Required)
		if !slices.Equal(described, all) {
			t.Errorf("%s describes %v, sent are %v", name, described, all)
		}
		if !slices.Equal(schema.Required, required) {
			t.Errorf("%s requires %v, always sent are %v", name, schema.Required, required)
		}
	}
}

// members lists the JSON members of a struct, and those that are never left out.
func members(of reflect.Type) (all, required []string) {
	for field := range of.Fields() {
		if field.Anonymous {
			a, r := members(field.Type)
			all, required = append(all, a...), append(required, r...)
			continue
		}
		name, options, tagged := strings.Cut(field.Tag.Get("json"), ",")
		if name == "-" || !tagged && name == "" {
			continue
		}
		all = append(all, name)
		if options != "omitempty" {
			required = append(required, name)
		}
	}
	slices.Sort(all)
	slices.Sort(required)
	return all, required
}
