package main

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/compiler/protogen"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/pluginpb"
)

// contract is a .proto file as protoc hands it to a plugin: one command, one query, two values and one event.
type contract struct {
	command, query *descriptorpb.MethodDescriptorProto
	request        *descriptorpb.DescriptorProto
	comments       []string // of the command and of the query
}

func newContract() *contract {
	return &contract{
		command: &descriptorpb.MethodDescriptorProto{
			Name: proto.String("Light"), InputType: proto.String(".kerf.stove.v1.LightRequest"), OutputType: proto.String(".kerf.stove.v1.LightResponse"),
		},
		query: &descriptorpb.MethodDescriptorProto{
			Name: proto.String("Look"), InputType: proto.String(".kerf.stove.v1.LookRequest"), OutputType: proto.String(".kerf.stove.v1.LookResponse"),
			Options: &descriptorpb.MethodOptions{IdempotencyLevel: descriptorpb.MethodOptions_NO_SIDE_EFFECTS.Enum()},
		},
		request: message("LightRequest", field("operation_key", 1)),
		comments: []string{
			" Light lights a stove.\n Precondition: it is out. Postcondition: it burns;\n StoveLit is published.\n Errors: not found.\n",
			" Look says how it is.\n",
		},
	}
}

func message(name string, fields ...*descriptorpb.FieldDescriptorProto) *descriptorpb.DescriptorProto {
	return &descriptorpb.DescriptorProto{Name: &name, Field: fields}
}

func field(name string, number int32) *descriptorpb.FieldDescriptorProto {
	return &descriptorpb.FieldDescriptorProto{
		Name: &name, Number: &number, JsonName: &name,
		Type:  descriptorpb.FieldDescriptorProto_TYPE_STRING.Enum(),
		Label: descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL.Enum(),
	}
}

func of(f *descriptorpb.FieldDescriptorProto, message string) *descriptorpb.FieldDescriptorProto {
	f.Type, f.TypeName = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE.Enum(), proto.String(".kerf.stove.v1."+message)
	return f
}

// generate runs the plugin over the contract and returns what it wrote, by file name.
func (c *contract) generate(t *testing.T) (map[string]string, error) {
	t.Helper()
	comment := func(text string, path ...int32) *descriptorpb.SourceCodeInfo_Location {
		return &descriptorpb.SourceCodeInfo_Location{Path: path, Span: []int32{0, 0, 0}, LeadingComments: &text}
	}
	file := &descriptorpb.FileDescriptorProto{
		Name: proto.String("modules/stove/stoveapi/stove.proto"), Package: proto.String("kerf.stove.v1"), Syntax: proto.String("proto3"),
		Options: &descriptorpb.FileOptions{GoPackage: proto.String("kerf/modules/stove/stoveapi;stoveapi")},
		MessageType: []*descriptorpb.DescriptorProto{
			c.request, message("LightResponse"), message("LookRequest", field("id", 1)),
			message("LookResponse", of(field("stove", 1), "Stove")), message("Stove", of(field("flame", 1), "Flame")), message("Flame"),
			message("StoveLit", field("id", 1), of(field("flame", 2), "Flame")),
		},
		Service: []*descriptorpb.ServiceDescriptorProto{
			{Name: proto.String("StoveService"), Method: []*descriptorpb.MethodDescriptorProto{c.command, c.query}},
		},
		SourceCodeInfo: &descriptorpb.SourceCodeInfo{Location: []*descriptorpb.SourceCodeInfo_Location{
			comment(" StoveService is warm.\n", 6, 0), comment(c.comments[0], 6, 0, 2, 0), comment(c.comments[1], 6, 0, 2, 1),
			comment(" StoveLit: it burns.\n", 4, 6),
		}},
	}
	plugin, err := protogen.Options{}.New(&pluginpb.CodeGeneratorRequest{
		FileToGenerate: []string{file.GetName()}, ProtoFile: []*descriptorpb.FileDescriptorProto{file}, Parameter: proto.String("paths=source_relative"),
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := generate(plugin, "docs/catalogue.md"); err != nil {
		return nil, err
	}
	written := map[string]string{}
	for _, f := range plugin.Response().GetFile() {
		written[f.GetName()] = f.GetContent()
	}
	return written, nil
}

func TestAServiceBecomesAnInterfaceThatCanBePlaced(t *testing.T) {
	written, err := newContract().generate(t)
	if err != nil {
		t.Fatal(err)
	}
	glue := written["modules/stove/stoveapi/stove_kerf.pb.go"]
	for _, want := range []string{
		"// StoveService is warm.\ntype StoveService interface {",
		"Light(context.Context, *LightRequest) (*LightResponse, error)",
		"func PlaceStoveService(at *placement.Seam, svc StoveService) StoveService {",
		"site := placement.At(at, svc, RegisterStoveService)",
		"func RegisterStoveService(s grpc.ServiceRegistrar, svc StoveService) {",
		`placement.Place(site, placement.Command("/kerf.stove.v1.StoveService/Light"), StoveService.Light)`,
		`placement.Query("/kerf.stove.v1.StoveService/Look")`,
	} {
		if !strings.Contains(glue, want) {
			t.Errorf("the glue lacks %q:\n%s", want, glue)
		}
	}
}

func TestTheCatalogueListsOperationsAndEvents(t *testing.T) {
	written, err := newContract().generate(t)
	if err != nil {
		t.Fatal(err)
	}
	page := written["docs/catalogue.md"]
	for _, want := range []string{
		"## stove\n\nStoveService is warm.\n",
		"### Light (command)\n\nLight lights a stove.\n\n- *Precondition:* it is out.\n- *Postcondition:* it burns; StoveLit is published.\n- *Errors:* not found.\n",
		"### Look (query)\n\nLook says how it is.\n",
		"| StoveLit | id, flame | StoveLit: it burns. |",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("the catalogue lacks %q:\n%s", want, page)
		}
	}
	for _, value := range []string{"| Stove |", "| Flame |", "| LookRequest |"} {
		if strings.Contains(page, value) {
			t.Errorf("the catalogue takes a value for an event: %s", value)
		}
	}
}

func TestAContractThatCannotBePlacedIsRefused(t *testing.T) {
	for _, row := range []struct {
		name, want string
		spoil      func(*contract)
	}{
		{"a stream", "streams", func(c *contract) { c.query.ServerStreaming = proto.Bool(true) }},
		{"no comment", "has no comment", func(c *contract) { c.comments[1] = "" }},
		{"a command without a key", "operation_key", func(c *contract) { c.request.Field = nil }},
		{"a key that is no string", "operation_key", func(c *contract) { of(c.request.Field[0], "Flame") }},
		{"a command without a postcondition", "Postcondition:", func(c *contract) { c.comments[0] = " Light lights a stove.\n" }},
		{"a query that is not marked", "operation_key", func(c *contract) { c.query.Options = nil }},
	} {
		t.Run(row.name, func(t *testing.T) {
			c := newContract()
			row.spoil(c)
			if _, err := c.generate(t); err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("the plugin says %v, not %q", err, row.want)
			}
		})
	}
}
