package main

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
)

// isQuery tells whether an operation has no effect; all others are commands.
func isQuery(m *protogen.Method) bool {
	options, ok := m.Desc.Options().(*descriptorpb.MethodOptions)
	return ok && options.GetIdempotencyLevel() == descriptorpb.MethodOptions_NO_SIDE_EFFECTS
}

// check returns what is missing for the service to be placed, or nil.
func check(service *protogen.Service) error {
	for _, m := range service.Methods {
		name := m.Desc.FullName()
		if m.Desc.IsStreamingClient() || m.Desc.IsStreamingServer() {
			return fmt.Errorf("%s streams: a call between modules has one request and one response", name)
		}
		told := explain(m.Comments.Leading)
		if told.summary == "" {
			return fmt.Errorf("%s has no comment", name)
		}
		if isQuery(m) {
			continue
		}
		key := m.Input.Desc.Fields().ByName("operation_key")
		if key == nil || key.Kind() != protoreflect.StringKind || key.IsList() {
			return fmt.Errorf("%s is a command, so %s needs a field string operation_key; a query has the option idempotency_level = NO_SIDE_EFFECTS",
				name, m.Input.Desc.Name())
		}
		if told.postcondition == "" {
			return fmt.Errorf("%s is a command: its comment has to state a Postcondition:, and a Precondition: before it if there is one", name)
		}
	}
	return nil
}

// explanation is an operation's comment, taken apart.
type explanation struct {
	summary, precondition, postcondition, errors string
}

// explain takes a comment apart at the words Precondition:, Postcondition: and Errors:, in this order; each may be missing.
func explain(comment protogen.Comments) explanation {
	told := explanation{summary: strings.Join(strings.Fields(string(comment)), " ")}
	told.summary, told.errors = cut(told.summary, "Errors:")
	told.summary, told.postcondition = cut(told.summary, "Postcondition:")
	told.summary, told.precondition = cut(told.summary, "Precondition:")
	return told
}

func cut(text, marker string) (before, after string) {
	before, after, _ = strings.Cut(text, marker)
	return strings.TrimSpace(before), strings.TrimSpace(after)
}

// events returns the messages of the files that are facts: top-level messages which no operation and no other message refers to.
func events(files []*protogen.File) []*protogen.Message {
	var all []*protogen.Message
	referred := map[protoreflect.FullName]bool{}
	for _, file := range files {
		for _, service := range file.Services {
			for _, m := range service.Methods {
				referred[m.Input.Desc.FullName()], referred[m.Output.Desc.FullName()] = true, true
			}
		}
		all = append(all, file.Messages...)
		for _, m := range file.Messages {
			refer(m, referred)
		}
	}
	return slices.DeleteFunc(all, func(m *protogen.Message) bool { return referred[m.Desc.FullName()] })
}

func refer(m *protogen.Message, referred map[protoreflect.FullName]bool) {
	for _, field := range m.Fields {
		if field.Message != nil && field.Message != m {
			referred[field.Message.Desc.FullName()] = true
		}
	}
	for _, nested := range m.Messages {
		refer(nested, referred)
	}
}
