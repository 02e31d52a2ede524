package codec

import (
	"google.golang.org/protobuf/proto"

	"kerf/platform/bus"
)

// Codec writes events and reads them. It is safe for concurrent use.
type Codec interface {
	Encode(event proto.Message) ([]byte, error)
	// Decode reads what Encode wrote into an empty message of the same type.
	Decode(data []byte, into proto.Message) error
}

// The formats, by the names that reports use.
const (
	JSON     = "json"
	Protobuf = "protobuf"
	Avro     = "avro"
	XML      = "xml"
)

// Formats are all formats; the first is what the others are compared with.
var Formats = []string{JSON, Protobuf, Avro, XML}

// For returns the codec of a format; false if there is none.
func For(format string) (Codec, bool) {
	switch format {
	case JSON:
		return ofBus{bus.JSON}, true
	case Protobuf:
		return ofBus{bus.Protobuf}, true
	case Avro:
		return newAvro(), true
	case XML:
		return xmlCodec{}, true
	}
	return nil, false
}

// ofBus is a format that the bus speaks, by the bus's own code.
type ofBus struct{ format bus.Format }

func (c ofBus) Encode(event proto.Message) ([]byte, error) { return c.format.Encode(event) }

func (c ofBus) Decode(data []byte, into proto.Message) error {
	return bus.Decode(c.format.ContentType(), data, into)
}
