package bus

import (
	"fmt"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// Format is how events are written on the bus.
type Format string

// The formats. An outbox always holds protobuf; the relay transcodes.
const (
	Protobuf Format = "protobuf"
	JSON     Format = "json"
)

const (
	contentProtobuf = "application/protobuf"
	contentJSON     = "application/json"
)

// ContentType returns the media type of the format.
func (f Format) ContentType() string {
	if f == JSON {
		return contentJSON
	}
	return contentProtobuf
}

// Encode writes an event in the format.
func (f Format) Encode(event proto.Message) ([]byte, error) {
	if f == JSON {
		return protojson.Marshal(event)
	}
	return proto.Marshal(event)
}

// Decode reads a payload of the given content type into event. Fields that event does not know are skipped, since contracts grow.
func Decode(contentType string, payload []byte, event proto.Message) error {
	switch contentType {
	case contentProtobuf:
		return proto.Unmarshal(payload, event)
	case contentJSON:
		return protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(payload, event)
	default:
		return fmt.Errorf("content type %q is not known", contentType)
	}
}

// Transcode turns the protobuf payload of an event into the format. Protobuf is returned as it is; for JSON the event's generated
// code must be linked into the program.
func (f Format) Transcode(eventType string, schemaVersion int, payload []byte) ([]byte, error) {
	if f != JSON {
		return payload, nil
	}
	name := messageName(eventType, schemaVersion)
	t, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		return nil, fmt.Errorf("transcode %s: %w", name, err)
	}
	event := t.New().Interface()
	if err := proto.Unmarshal(payload, event); err != nil {
		return nil, fmt.Errorf("transcode %s: %w", name, err)
	}
	return f.Encode(event)
}

// TypeOf returns an event's CloudEvents type and the version of its schema: kerf.orders.v1.OrderPlaced is kerf.orders.OrderPlaced, 1.
// A name without a version has version 1.
func TypeOf(event proto.Message) (eventType string, schemaVersion int) {
	full := event.ProtoReflect().Descriptor().FullName()
	parent := full.Parent()
	version, ok := strings.CutPrefix(string(parent.Name()), "v")
	if n, err := strconv.Atoi(version); ok && err == nil {
		return string(parent.Parent().Append(full.Name())), n
	}
	return string(full), 1
}

// messageName undoes TypeOf.
func messageName(eventType string, schemaVersion int) protoreflect.FullName {
	full := protoreflect.FullName(eventType)
	return full.Parent().Append(protoreflect.Name("v" + strconv.Itoa(schemaVersion))).Append(full.Name())
}
