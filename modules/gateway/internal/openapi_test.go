package internal

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"

	"kerf/modules/gateway/gatewayapi"
	"kerf/platform/web"
	"kerf/platform/web/webtest"
)

// TestSchemasDescribeWhatIsSent holds the description against the documents that are sent.
func TestSchemasDescribeWhatIsSent(t *testing.T) {
	webtest.Schemas(t, gatewayapi.OpenAPI, map[string]any{
		"ComposedOrder": composedOrder{}, "TicketPart": ticketPart{}, "DeliveryPart": deliveryPart{}, "PaymentPart": paymentPart{},
		"AuditList": auditList{}, "Unavailable": unavailable{}, "Audit": audit{}, "ParkedList": web.Collection[parkedMessage]{}, "ParkedMessage": parkedMessage{},
		"Handled": handled{}, "Problem": web.Problem{},
	})
}

// keywords are those of JSON Schema that the description uses. One that is not here is more likely a piece of an unquoted sentence.
var keywords = []string{
	"$ref", "additionalProperties", "anyOf", "const", "default", "description", "enum", "examples", "exclusiveMinimum", "format", "items",
	"maxItems", "maxLength", "maximum", "minItems", "minLength", "minimum", "oneOf", "pattern", "properties", "required", "type", "uniqueItems",
}

// TestTheDescriptionSaysWhatWasWritten finds what YAML makes of a comma in a sentence without quotes: the sentence ends there, and its
// rest is a member without a value.
func TestTheDescriptionSaysWhatWasWritten(t *testing.T) {
	var whole map[string]any
	text, err := describe()()
	if err == nil {
		err = json.Unmarshal(text, &whole)
	}
	if err != nil {
		t.Fatal(err)
	}
	noNull(t, whole, "")
	eachSchema(whole, "", func(schema map[string]any, path string) {
		for keyword := range schema {
			if !slices.Contains(keywords, keyword) {
				t.Errorf("%s has %q", path, keyword)
			}
		}
	})
	var broken map[string]any
	if err := yaml.Unmarshal([]byte("schema: {type: string, description: In short, no.}"), &broken); err != nil {
		t.Fatal(err)
	}
	found := 0
	eachSchema(broken, "", func(schema map[string]any, _ string) {
		for keyword := range schema {
			if !slices.Contains(keywords, keyword) {
				found++
			}
		}
	})
	if found != 1 {
		t.Error("a broken description is not found out")
	}
}

func noNull(t *testing.T, value any, path string) {
	t.Helper()
	switch v := value.(type) {
	case nil:
		t.Errorf("%s is null", path)
	case map[string]any:
		for name, member := range v {
			noNull(t, member, path+"/"+name)
		}
	case []any:
		for i, member := range v {
			noNull(t, member, fmt.Sprintf("%s/%d", path, i))
		}
	}
}

// eachSchema calls f for every schema of a description.
func eachSchema(value any, path string, f func(schema map[string]any, path string)) {
	switch v := value.(type) {
	case map[string]any:
		for name, member := range v {
			here := path + "/" + name
			switch name {
			case "schema":
				within(member, here, f)
			case "schemas":
				for title, schema := range member.(map[string]any) {
					within(schema, here+"/"+title, f)
				}
			default:
				eachSchema(member, here, f)
			}
		}
	case []any:
		for i, member := range v {
			eachSchema(member, fmt.Sprintf("%s/%d", path, i), f)
		}
	}
}

// within calls f for a schema and those in it.
func within(value any, path string, f func(schema map[string]any, path string)) {
	schema, ok := value.(map[string]any)
	if !ok {
		return // true or false
	}
	f(schema, path)
	properties, _ := schema["properties"].(map[string]any)
	for name, property := range properties {
		within(property, path+"/"+name, f)
	}
	within(schema["items"], path+"/items", f)
	within(schema["additionalProperties"], path+"/additionalProperties", f)
	for _, several := range []string{"oneOf", "anyOf"} {
		list, _ := schema[several].([]any)
		for i, one := range list {
			within(one, fmt.Sprintf("%s/%s/%d", path, several, i), f)
		}
	}
}

// TestNoTextOrListOfARequestIsWithoutEnd holds every body that is sent to us to a bound for each text and each list: what the description
// bounds, the acceptance suite exceeds, and each module refuses it.
func TestNoTextOrListOfARequestIsWithoutEnd(t *testing.T) {
	var whole map[string]any
	text, err := describe()()
	if err == nil {
		err = json.Unmarshal(text, &whole)
	}
	if err != nil {
		t.Fatal(err)
	}
	bodies := 0
	for path, item := range whole["paths"].(map[string]any) {
		for method, operation := range item.(map[string]any) {
			described, _ := operation.(map[string]any)
			body, ok := described["requestBody"].(map[string]any)
			if !ok {
				continue
			}
			bodies++
			schema := body["content"].(map[string]any)["application/json"].(map[string]any)["schema"]
			within(expanded(whole, schema), method+" "+path, func(schema map[string]any, path string) {
				if schema["type"] == "string" && !bounded(schema) {
					t.Errorf("%s is a text of any length", path)
				}
				if schema["type"] == "array" && schema["maxItems"] == nil {
					t.Errorf("%s is a list of any length", path)
				}
			})
		}
	}
	if bodies < 30 {
		t.Errorf("only %d requests with a body were found", bodies)
	}
}

// bounded tells whether a text can have only so many characters. A pattern is taken for a bound if it has no quantifier without end.
func bounded(schema map[string]any) bool {
	pattern, _ := schema["pattern"].(string)
	return schema["maxLength"] != nil || schema["enum"] != nil || schema["const"] != nil || schema["format"] != nil ||
		pattern != "" && !strings.ContainsAny(pattern, "*+")
}

// expanded is a schema with all references followed.
func expanded(whole map[string]any, value any) any {
	switch v := value.(type) {
	case map[string]any:
		if ref, ok := v["$ref"].(string); ok {
			var at any = whole
			for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
				at = at.(map[string]any)[name]
			}
			return expanded(whole, at)
		}
		all := map[string]any{}
		for name, member := range v {
			all[name] = expanded(whole, member)
		}
		return all
	case []any:
		all := make([]any, len(v))
		for i, member := range v {
			all[i] = expanded(whole, member)
		}
		return all
	}
	return value
}
