package acceptance

import (
	"encoding/json"
	"fmt"
	"math"
	"slices"
	"strings"
)

// spoiled is a body with one thing wrong.
type spoiled struct{ what, field, body string }

// spoil makes every bad body that a schema tells of, from a good one.
func (c *contract) spoil(schema map[string]any, good obj) []spoiled {
	text, _ := json.Marshal(good) // what was sent before
	var list []spoiled
	var walk func(schema map[string]any, value any, path []any)
	put := func(what string, path []any, value any) {
		var root any
		_ = json.Unmarshal(text, &root) // our own text
		root = changed(root, path, value)
		body, _ := json.Marshal(root)
		list = append(list, spoiled{what, fieldOf(path), string(body)})
	}
	walk = func(schema map[string]any, value any, path []any) {
		schema = c.resolve(schema)
		for what, bad := range spoilers(schema) {
			if len(path) > 0 {
				put(what, path, bad)
			}
		}
		switch v := value.(type) {
		case map[string]any:
			put("an unknown member", append(slices.Clone(path), "surprise"), 1)
			properties, _ := schema["properties"].(map[string]any)
			for name, property := range properties {
				walk(property.(map[string]any), v[name], append(slices.Clone(path), name))
			}
			required, _ := schema["required"].([]any)
			for _, name := range required {
				put("the lack", append(slices.Clone(path), name), gone{})
				put("null instead", append(slices.Clone(path), name), nil)
			}
		case []any:
			if n, ok := schema["maxItems"].(float64); ok && len(v) > 0 {
				put("too many", path, slices.Repeat(v[:1], int(n)+1))
			}
			if len(v) > 0 {
				walk(schema["items"].(map[string]any), v[0], append(slices.Clone(path), 0))
			}
		}
	}
	var value any
	_ = json.Unmarshal(text, &value)
	walk(schema, value, nil)
	return list
}

// gone stands for a member that is left out.
type gone struct{}

// spoilers are bad values for a schema.
func spoilers(schema map[string]any) map[string]any {
	bad := map[string]any{}
	number := func(key string) (float64, bool) { n, ok := schema[key].(float64); return n, ok }
	switch schema["type"] {
	case "string":
		bad["a number"] = 12
		bad["what a terminal obeys"] = "a\x1b[2Jb"
		bad["what ends a text in C"] = "a\x00b"
		if n, ok := number("maxLength"); ok {
			bad["too much"] = strings.Repeat("x", int(n)+1)
		}
		if n, ok := number("minLength"); ok && n > 0 {
			bad["an empty value"] = ""
		}
		if schema["format"] != nil || schema["enum"] != nil || schema["pattern"] != nil {
			bad["nonsense instead"] = "!nonsense!"
		}
	case "integer", "number":
		bad["text"] = "many"
		bad["a list"] = []any{1}
		if schema["type"] == "integer" {
			bad["a fraction"] = 1.5
			bad["what no integer holds"] = 1e30
		}
		if n, ok := number("minimum"); ok && n > -math.MaxInt32 {
			bad["too little"] = n - 1
		}
		if n, ok := number("maximum"); ok && n < math.MaxInt32 {
			bad["too much"] = n + 1
		}
	case "boolean":
		bad["text"] = "yes"
	case "array":
		bad["an object"] = obj{}
		if n, ok := number("minItems"); ok && n > 0 {
			bad["nothing"] = []any{}
		}
	case "object":
		bad["text"] = "text"
		bad["a list"] = []any{}
	}
	return bad
}

// changed returns a document with one value at a path replaced, added or left out.
func changed(at any, path []any, value any) any {
	if len(path) == 0 {
		return value
	}
	switch step := path[0].(type) {
	case string:
		object, ok := at.(map[string]any)
		if !ok {
			object = map[string]any{}
		}
		if _, leave := value.(gone); leave && len(path) == 1 {
			delete(object, step)
			return object
		}
		object[step] = changed(object[step], path[1:], value)
		return object
	case int:
		list := at.([]any)
		list[step] = changed(list[step], path[1:], value)
		return list
	}
	return at
}

func fieldOf(path []any) string {
	var b strings.Builder
	for i, step := range path {
		switch step := step.(type) {
		case int:
			fmt.Fprintf(&b, "[%d]", step)
		case string:
			if i > 0 {
				b.WriteByte('.')
			}
			b.WriteString(step)
		}
	}
	return b.String()
}
