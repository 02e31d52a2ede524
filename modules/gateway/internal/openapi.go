package internal

import (
	"encoding/json"
	"fmt"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"

	"kerf/modules/accounting/accountingapi"
	"kerf/modules/consumers/consumersapi"
	"kerf/modules/delivery/deliveryapi"
	"kerf/modules/gateway/gatewayapi"
	"kerf/modules/kitchen/kitchenapi"
	"kerf/modules/notifications/notificationsapi"
	"kerf/modules/orders/ordersapi"
	"kerf/modules/restaurants/restaurantsapi"
	"kerf/modules/tracking/trackingapi"
)

// describe returns the API's description in JSON, made when it is first asked for.
func describe() func() ([]byte, error) {
	return sync.OnceValues(func() ([]byte, error) {
		return merge(gatewayapi.OpenAPI, consumersapi.OpenAPI, restaurantsapi.OpenAPI, ordersapi.OpenAPI, kitchenapi.OpenAPI,
			deliveryapi.OpenAPI, accountingapi.OpenAPI, notificationsapi.OpenAPI, trackingapi.OpenAPI)
	})
}

// operation is one that the description has.
type operation struct {
	method string
	route  string // as echo writes it: /v1/orders/:order_id
	public bool   // asks for no bearer
}

// below tells whether an operation's path is the prefix or begins with it.
func (o operation) below(prefix string) bool {
	return o.route == prefix || strings.HasPrefix(o.route, prefix+"/")
}

// operations returns what is described.
func (g *Gateway) operations() ([]operation, error) {
	text, err := g.openapi()
	if err != nil {
		return nil, err
	}
	var document struct {
		Paths map[string]map[string]json.RawMessage `json:"paths"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("the API's description: %w", err)
	}
	var all []operation
	for path, item := range document.Paths {
		for _, method := range []string{"get", "put", "post", "patch", "delete"} {
			if item[method] == nil {
				continue
			}
			var described struct {
				Security []any `json:"security"`
			}
			if err := json.Unmarshal(item[method], &described); err != nil {
				return nil, fmt.Errorf("the API's description: %s %s: %w", method, path, err)
			}
			all = append(all, operation{strings.ToUpper(method), parameters.Replace(path), len(described.Security) == 0})
		}
	}
	return all, nil
}

var parameters = strings.NewReplacer("{", ":", "}", "")

// merge adds the paths and components of parts to a whole document. Two parts may share a path, but not an operation or a component.
func merge(whole []byte, parts ...[]byte) ([]byte, error) {
	var document map[string]any
	if err := yaml.Unmarshal(whole, &document); err != nil {
		return nil, fmt.Errorf("the API's description: %w", err)
	}
	for _, text := range parts {
		var part map[string]any
		if err := yaml.Unmarshal(text, &part); err != nil {
			return nil, fmt.Errorf("a module's part of the API's description: %w", err)
		}
		if err := add(document, part, ""); err != nil {
			return nil, fmt.Errorf("the API's description: %w", err)
		}
	}
	return json.Marshal(document)
}

// add copies members of from that to lacks, and descends where both have an object. Anything else that both have is a conflict,
// unless it is the same.
func add(to, from map[string]any, path string) error {
	for name, value := range from {
		here := path + "/" + name
		present, ok := to[name]
		if !ok {
			to[name] = value
			continue
		}
		a, isObject := present.(map[string]any)
		b, alsoObject := value.(map[string]any)
		if isObject && alsoObject {
			if err := add(a, b, here); err != nil {
				return err
			}
			continue
		}
		if x, _ := json.Marshal(present); string(x) != jsonOf(value) {
			return fmt.Errorf("%s is described twice", here)
		}
	}
	return nil
}

func jsonOf(value any) string {
	text, _ := json.Marshal(value)
	return string(text)
}
