package codec

import (
	"encoding/json"
	"fmt"
	"sync"

	"github.com/hamba/avro/v2"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// avroCodec writes the generated structs themselves, with the codecs that hamba/avro makes of a schema and a Go type: the way in which a program would
// use Avro. A reader is taken to have the writer's schema, as with a registry of schemas; of the five bytes that such a registry adds none are counted.
type avroCodec struct {
	api     avro.API
	schemas sync.Map // of avro.Schema, by the message's full name
}

// newAvro finds the fields of the structs by their json tags, which are the names in the contract.
func newAvro() *avroCodec { return &avroCodec{api: avro.Config{TagKey: "json"}.Freeze()} }

func (c *avroCodec) Encode(event proto.Message) ([]byte, error) {
	schema, err := c.schema(event)
	if err != nil {
		return nil, err
	}
	return c.api.Marshal(schema, event)
}

func (c *avroCodec) Decode(data []byte, into proto.Message) error {
	schema, err := c.schema(into)
	if err != nil {
		return err
	}
	return c.api.Unmarshal(schema, data, into)
}

func (c *avroCodec) schema(event proto.Message) (avro.Schema, error) {
	message := event.ProtoReflect().Descriptor()
	if schema, ok := c.schemas.Load(message.FullName()); ok {
		return schema.(avro.Schema), nil
	}
	text, err := AvroSchema(message)
	if err != nil {
		return nil, err
	}
	schema, err := avro.ParseWithCache(text, "", &avro.SchemaCache{})
	if err != nil {
		return nil, fmt.Errorf("avro schema of %s: %w", message.FullName(), err)
	}
	c.schemas.Store(message.FullName(), schema)
	return schema, nil
}

// AvroSchema derives the schema of a message: a record with its fields in order. What may be absent, a message, is a union with null; an enum is its
// number, because contracts grow and an Avro enum may not. The error says which field has no such form: a map, a oneof, an unsigned 64-bit number.
func AvroSchema(message protoreflect.MessageDescriptor) (string, error) {
	schema, err := avroRecord(message, map[protoreflect.FullName]bool{})
	if err != nil {
		return "", err
	}
	text, err := json.Marshal(schema)
	return string(text), err
}

type avroField struct {
	Name string `json:"name"`
	Type any    `json:"type"`
}

type avroRecordSchema struct {
	Type   string      `json:"type"`
	Name   string      `json:"name"`
	Fields []avroField `json:"fields"`
}

// avroRecord defines a message where it is first used, and names it where it is used again.
func avroRecord(message protoreflect.MessageDescriptor, defined map[protoreflect.FullName]bool) (any, error) {
	if defined[message.FullName()] {
		return string(message.FullName()), nil
	}
	defined[message.FullName()] = true
	record := avroRecordSchema{Type: "record", Name: string(message.FullName()), Fields: []avroField{}}
	for i := range message.Fields().Len() {
		field := message.Fields().Get(i)
		kind, err := avroType(field, defined)
		if err != nil {
			return nil, err
		}
		record.Fields = append(record.Fields, avroField{string(field.Name()), kind})
	}
	return record, nil
}

func avroType(field protoreflect.FieldDescriptor, defined map[protoreflect.FullName]bool) (any, error) {
	if field.IsMap() || field.ContainingOneof() != nil {
		return nil, fmt.Errorf("%s has no Avro schema: it is a map, optional, or in a oneof", field.FullName())
	}
	var one any
	switch scalar, ok := avroScalars[field.Kind()]; {
	case ok:
		one = scalar
	case field.Message() == nil:
		return nil, fmt.Errorf("%s has no Avro schema: Avro has no %s", field.FullName(), field.Kind())
	default:
		record, err := avroRecord(field.Message(), defined)
		if err != nil {
			return nil, err
		}
		if !field.IsList() {
			return []any{"null", record}, nil
		}
		one = record // a list has no gaps
	}
	if field.IsList() {
		return map[string]any{"type": "array", "items": one}, nil
	}
	return one, nil
}

var avroScalars = map[protoreflect.Kind]string{
	protoreflect.BoolKind: "boolean", protoreflect.StringKind: "string", protoreflect.BytesKind: "bytes",
	protoreflect.Int32Kind: "int", protoreflect.Sint32Kind: "int", protoreflect.Sfixed32Kind: "int", protoreflect.EnumKind: "int",
	protoreflect.Int64Kind: "long", protoreflect.Sint64Kind: "long", protoreflect.Sfixed64Kind: "long",
	protoreflect.Uint32Kind: "long", protoreflect.Fixed32Kind: "long",
	protoreflect.FloatKind: "float", protoreflect.DoubleKind: "double",
}
