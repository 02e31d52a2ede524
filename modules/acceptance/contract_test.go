package acceptance

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"github.com/pb33f/libopenapi-validator/errors"
	"github.com/pb33f/libopenapi-validator/schema_validation"
	v3 "github.com/pb33f/libopenapi/datamodel/high/v3"
)

// contract is the description of the API, as a server gave it.
type contract struct {
	document  map[string]any
	model     *v3.Document
	validator validator.Validator
	schemas   schema_validation.SchemaValidator
	all       func() []operation
	// The operations that have succeeded, by id.
	succeeded sync.Map
}

// contracts keeps each description that was met: to compile one takes longer than most stories.
type contracts struct {
	mu   sync.Mutex
	seen map[string]*contract
}

func (c *contracts) of(t *testing.T, url string) *contract {
	t.Helper()
	res, err := http.Get(url + "/v1/openapi.json") //nolint:noctx // The test's own deadline will do.
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("the API's description: %d %v", res.StatusCode, err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.seen == nil {
		c.seen = map[string]*contract{}
	}
	if c.seen[string(text)] == nil {
		made, err := newContract(text)
		if err != nil {
			t.Fatalf("the API's description: %v", err)
		}
		c.seen[string(text)] = made
	}
	return c.seen[string(text)]
}

func newContract(text []byte) (*contract, error) {
	c := &contract{}
	c.all = sync.OnceValue(c.list)
	if err := json.Unmarshal(text, &c.document); err != nil {
		return nil, err
	}
	document, err := libopenapi.NewDocument(text)
	if err != nil {
		return nil, err
	}
	built, err := document.BuildV3Model()
	if err != nil {
		return nil, err
	}
	c.model = &built.Model
	var errs []error
	c.validator, errs = validator.NewValidator(document, config.WithFormatAssertions())
	if len(errs) > 0 {
		return nil, errs[0]
	}
	if ok, found := c.validator.ValidateDocument(); !ok {
		return nil, fmt.Errorf("is not OpenAPI 3.1: %s", told(found))
	}
	c.schemas = schema_validation.NewSchemaValidator(config.WithFormatAssertions())
	return c, nil
}

// covers tells whether the description speaks of a path: all that a program calls, but itself.
func (c *contract) covers(path string) bool {
	return strings.HasPrefix(path, "/v1/") && path != "/v1/openapi.json"
}

// check compares an exchange with the description. A request must be as described only if it was accepted: others are wrong on purpose.
func (c *contract) check(t testing.TB, req *http.Request, sent []byte, res *http.Response, got []byte) {
	t.Helper()
	if !c.covers(req.URL.Path) {
		return
	}
	asked := req.Clone(req.Context())
	asked.Body = io.NopCloser(bytes.NewReader(sent))
	if len(sent) == 0 {
		asked.Body = http.NoBody
	}
	if res.StatusCode < http.StatusBadRequest {
		if ok, found := c.validator.ValidateHttpRequestSync(asked); !ok {
			t.Errorf("%s %s was accepted, against the description: %s\nsent %s", req.Method, req.URL, told(found), sent)
		}
	}
	c.note(req, res)
	if !c.described(req, res.StatusCode) {
		return // A path or method that is not there is answered with a problem like all others.
	}
	asked.Body = io.NopCloser(bytes.NewReader(sent))
	answered := &http.Response{StatusCode: res.StatusCode, Header: res.Header, Body: io.NopCloser(bytes.NewReader(got)), Request: asked}
	if ok, found := c.validator.ValidateHttpResponse(asked, answered); !ok {
		t.Errorf("%s %s was answered with %d, against the description: %s\ngot %s", req.Method, req.URL, res.StatusCode, told(found), got)
	}
}

// note remembers that an operation has succeeded.
func (c *contract) note(req *http.Request, res *http.Response) {
	if o, ok := c.operation(req.Method, req.URL.Path); ok && res.StatusCode < http.StatusBadRequest {
		c.succeeded.Store(o.ID, true)
	}
}

// described tells whether an answer can be found in the description at all: 404 and 405 of what does not exist cannot.
func (c *contract) described(req *http.Request, status int) bool {
	if status != http.StatusNotFound && status != http.StatusMethodNotAllowed {
		return true
	}
	_, ok := c.operation(req.Method, req.URL.Path)
	return ok
}

// checkSchema compares a document with one of the description's schemas.
func (c *contract) checkSchema(t testing.TB, name string, text []byte) {
	t.Helper()
	proxy, ok := c.model.Components.Schemas.Get(name)
	if !ok {
		t.Fatalf("the description has no schema %s", name)
	}
	if ok, found := c.schemas.ValidateSchemaBytes(proxy.Schema(), text); !ok {
		t.Errorf("no %s: %s\ngot %s", name, told(found), text)
	}
}

// untried lists the operations that have not succeeded once since it was called last.
func (c *contract) untried() (ids []string) {
	for _, o := range c.operations() {
		if _, ok := c.succeeded.LoadAndDelete(o.ID); !ok {
			ids = append(ids, o.ID)
		}
	}
	return ids
}

func told(found []*errors.ValidationError) string {
	var b strings.Builder
	for _, e := range found {
		fmt.Fprintf(&b, "\n  %s: %s", e.Message, e.Reason)
		for _, s := range e.SchemaValidationErrors {
			fmt.Fprintf(&b, "\n    at %s: %s", s.FieldPath, s.Reason)
		}
	}
	return b.String()
}

// operation is one of the description's operations, as plain JSON.
type operation struct {
	ID, Method, Path string
	secured          bool
	// Required headers.
	needsKey, needsMatch bool
	// The schema of the body, references followed; nil if there is none.
	body         map[string]any
	bodyRequired bool
}

// operation finds the operation that a request is for.
func (c *contract) operation(method, path string) (found operation, ok bool) {
	for _, o := range c.operations() {
		// A path without parameters goes before one with them.
		if o.Method == method && matches(o.Path, path) && (!ok || !strings.Contains(o.Path, "{")) {
			found, ok = o, true
		}
	}
	return found, ok
}

func matches(template, path string) bool {
	want, have := strings.Split(template, "/"), strings.Split(path, "/")
	if len(want) != len(have) {
		return false
	}
	for i := range want {
		if !strings.HasPrefix(want[i], "{") && want[i] != have[i] {
			return false
		}
	}
	return true
}

// operations lists all operations.
func (c *contract) operations() []operation { return c.all() }

func (c *contract) list() []operation {
	var list []operation
	for path, item := range c.document["paths"].(map[string]any) {
		item := item.(map[string]any)
		for method, described := range item {
			if method == "parameters" {
				continue
			}
			described := described.(map[string]any)
			o := operation{ID: described["operationId"].(string), Method: strings.ToUpper(method), Path: path}
			_, o.secured = described["security"]
			shared, _ := item["parameters"].([]any)
			own, _ := described["parameters"].([]any)
			for _, p := range append(append([]any{}, shared...), own...) {
				p := p.(map[string]any)
				if p["in"] == "header" && p["required"] == true {
					o.needsKey = o.needsKey || p["name"] == "Idempotency-Key"
					o.needsMatch = o.needsMatch || p["name"] == "If-Match"
				}
			}
			if body, ok := described["requestBody"].(map[string]any); ok {
				o.bodyRequired = body["required"] == true
				content := body["content"].(map[string]any)["application/json"].(map[string]any)
				o.body = c.resolve(content["schema"].(map[string]any))
			}
			list = append(list, o)
		}
	}
	return list
}

// resolve follows a schema's reference.
func (c *contract) resolve(schema map[string]any) map[string]any {
	ref, ok := schema["$ref"].(string)
	if !ok {
		return schema
	}
	var at any = c.document
	for _, name := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
		at = at.(map[string]any)[name]
	}
	return c.resolve(at.(map[string]any))
}
