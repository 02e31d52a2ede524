package orders_test

import (
	"encoding/json"
	"slices"
	"testing"

	"go.yaml.in/yaml/v3"

	"kerf/modules/orders/ordersapi"
)

// schema is as much of a JSON schema as tells which members an object has.
type schema struct {
	Ref        string            `yaml:"$ref"`
	Required   []string          `yaml:"required"`
	Properties map[string]schema `yaml:"properties"`
	Items      *schema           `yaml:"items"`
}

func TestAnOrdersMembersAreThoseOfTheDescription(t *testing.T) {
	var api struct {
		Components struct {
			Schemas map[string]schema `yaml:"schemas"`
		} `yaml:"components"`
	}
	if err := yaml.Unmarshal(ordersapi.OpenAPI, &api); err != nil {
		t.Fatal(err)
	}
	s := serve(t)
	placed := s.post(diner, "/v1/orders", placeBody())
	s.await(placed.order.ID, ordersapi.OrderState_ORDER_STATE_APPROVED)
	s.post(diner, "/v1/orders/"+placed.order.ID+"/cancellation", `{}`)
	s.await(placed.order.ID, ordersapi.OrderState_ORDER_STATE_CANCELLED)
	list := s.get(cook, "/v1/orders?restaurant_id="+restaurantID)
	seen := map[string]bool{}
	check := func(name string, object map[string]any) {
		t.Helper()
		described := api.Components.Schemas[name]
		for member := range object {
			seen[name+"."+member] = true
			if _, ok := described.Properties[member]; !ok {
				t.Errorf("%s has %s, which is not described", name, member)
			}
		}
		for _, member := range described.Required {
			if _, ok := object[member]; !ok {
				t.Errorf("%s lacks %s", name, member)
			}
		}
	}
	order := objectOf(t, placed.text)
	check("Order", order)
	check("OrderLine", order["lines"].([]any)[0].(map[string]any))
	page := objectOf(t, list.text)
	check("OrderList", page)
	check("Order", page["items"].([]any)[0].(map[string]any))
	for _, name := range []string{"Order", "OrderLine", "OrderList"} {
		for member := range api.Components.Schemas[name].Properties {
			if !seen[name+"."+member] {
				t.Errorf("%s.%s is described, and was never seen", name, member)
			}
		}
	}
	if !slices.Contains(ordersapi.Prefixes, "/v1/orders") {
		t.Errorf("prefixes %v", ordersapi.Prefixes)
	}
}

func objectOf(t *testing.T, text string) map[string]any {
	t.Helper()
	var object map[string]any
	if err := json.Unmarshal([]byte(text), &object); err != nil {
		t.Fatal(err)
	}
	return object
}
