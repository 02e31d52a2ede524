package codec

import (
	"bytes"
	"encoding/base64"
	"encoding/xml"
	"errors"
	"fmt"
	"strconv"
	"time"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// xmlCodec writes a message as an element with the message's name, and in it an element for each field that is set, in the order of the contract, with
// the field's name; a field that is repeated as often as it has values. Instants are xs:dateTime, as they are in JSON; bytes are base64.
// An element that the contract does not know is passed over. Control characters, which XML has no way to write, do not survive.
type xmlCodec struct{}

const timestamp protoreflect.FullName = "google.protobuf.Timestamp"

func (xmlCodec) Encode(event proto.Message) ([]byte, error) {
	var text bytes.Buffer
	e := xml.NewEncoder(&text)
	message := event.ProtoReflect()
	if err := writeElement(e, string(message.Descriptor().Name()), func() error { return writeFields(e, message) }); err != nil {
		return nil, err
	}
	err := e.Close() // writes the rest
	return text.Bytes(), err
}

func writeElement(e *xml.Encoder, name string, content func() error) error {
	start := xml.StartElement{Name: xml.Name{Local: name}}
	if err := e.EncodeToken(start); err != nil {
		return err
	}
	if err := content(); err != nil {
		return err
	}
	return e.EncodeToken(start.End())
}

func writeFields(e *xml.Encoder, message protoreflect.Message) error {
	fields := message.Descriptor().Fields()
	for i := range fields.Len() {
		field := fields.Get(i)
		if !message.Has(field) {
			continue
		}
		if field.IsMap() {
			return fmt.Errorf("%s is a map, for which there is no XML", field.FullName())
		}
		value := message.Get(field)
		if !field.IsList() {
			if err := writeValue(e, field, value); err != nil {
				return err
			}
			continue
		}
		for j := range value.List().Len() {
			if err := writeValue(e, field, value.List().Get(j)); err != nil {
				return err
			}
		}
	}
	return nil
}

func writeValue(e *xml.Encoder, field protoreflect.FieldDescriptor, value protoreflect.Value) error {
	return writeElement(e, string(field.Name()), func() error {
		if field.Message() != nil && field.Message().FullName() != timestamp {
			return writeFields(e, value.Message())
		}
		return e.EncodeToken(xml.CharData(xmlText(field, value)))
	})
}

func xmlText(field protoreflect.FieldDescriptor, value protoreflect.Value) string {
	switch field.Kind() {
	case protoreflect.StringKind:
		return value.String()
	case protoreflect.BytesKind:
		return base64.StdEncoding.EncodeToString(value.Bytes())
	case protoreflect.EnumKind:
		return strconv.Itoa(int(value.Enum()))
	case protoreflect.FloatKind:
		return strconv.FormatFloat(value.Float(), 'g', -1, 32)
	case protoreflect.DoubleKind:
		return strconv.FormatFloat(value.Float(), 'g', -1, 64)
	case protoreflect.MessageKind: // a timestamp
		m := value.Message()
		parts := m.Descriptor().Fields()
		return time.Unix(m.Get(parts.ByName("seconds")).Int(), m.Get(parts.ByName("nanos")).Int()).UTC().Format(time.RFC3339Nano)
	default:
		return value.String() // a whole number or a boolean
	}
}

func (xmlCodec) Decode(data []byte, into proto.Message) error {
	d := xml.NewDecoder(bytes.NewReader(data))
	message := into.ProtoReflect()
	for {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("read XML: %w", err)
		}
		start, ok := token.(xml.StartElement)
		if !ok {
			continue // a prologue
		}
		if start.Name.Local != string(message.Descriptor().Name()) {
			return fmt.Errorf("the XML is a %s, want %s", start.Name.Local, message.Descriptor().Name())
		}
		return readFields(d, message)
	}
}

// readFields reads up to the end of the element.
func readFields(d *xml.Decoder, message protoreflect.Message) error {
	fields := message.Descriptor().Fields()
	for {
		token, err := d.Token()
		if err != nil {
			return fmt.Errorf("read XML: %w", err)
		}
		switch t := token.(type) {
		case xml.EndElement:
			return nil
		case xml.StartElement:
			field := fields.ByName(protoreflect.Name(t.Name.Local))
			if field == nil {
				err = d.Skip()
			} else {
				err = readField(d, message, field)
			}
			if err != nil {
				return err
			}
		}
	}
}

func readField(d *xml.Decoder, message protoreflect.Message, field protoreflect.FieldDescriptor) error {
	if field.IsMap() {
		return fmt.Errorf("%s is a map, for which there is no XML", field.FullName())
	}
	var value protoreflect.Value
	if field.Message() != nil && field.Message().FullName() != timestamp {
		value = newValue(message, field)
		if err := readFields(d, value.Message()); err != nil {
			return err
		}
	} else {
		text, err := readText(d)
		if err != nil {
			return err
		}
		if value, err = xmlValue(message, field, text); err != nil {
			return fmt.Errorf("XML element %s is %q: %w", field.Name(), text, err)
		}
	}
	if field.IsList() {
		message.Mutable(field).List().Append(value)
		return nil
	}
	message.Set(field, value)
	return nil
}

// newValue is an empty message for the field, or for one more of its list.
func newValue(message protoreflect.Message, field protoreflect.FieldDescriptor) protoreflect.Value {
	if field.IsList() {
		return message.Mutable(field).List().NewElement()
	}
	return message.NewField(field)
}

// readText reads the text up to the end of the element.
func readText(d *xml.Decoder) (string, error) {
	var text []byte
	for {
		token, err := d.Token()
		if err != nil {
			return "", fmt.Errorf("read XML: %w", err)
		}
		switch t := token.(type) {
		case xml.CharData:
			text = append(text, t...)
		case xml.EndElement:
			return string(text), nil
		case xml.StartElement:
			return "", fmt.Errorf("the XML has an element %s where text is expected", t.Name.Local)
		}
	}
}

func xmlValue(message protoreflect.Message, field protoreflect.FieldDescriptor, text string) (protoreflect.Value, error) {
	switch field.Kind() {
	case protoreflect.StringKind:
		return protoreflect.ValueOfString(text), nil
	case protoreflect.BytesKind:
		content, err := base64.StdEncoding.DecodeString(text)
		return protoreflect.ValueOfBytes(content), err
	case protoreflect.BoolKind:
		truth, err := strconv.ParseBool(text)
		return protoreflect.ValueOfBool(truth), err
	case protoreflect.EnumKind:
		n, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfEnum(protoreflect.EnumNumber(n)), err
	case protoreflect.Int32Kind, protoreflect.Sint32Kind, protoreflect.Sfixed32Kind:
		n, err := strconv.ParseInt(text, 10, 32)
		return protoreflect.ValueOfInt32(int32(n)), err
	case protoreflect.Int64Kind, protoreflect.Sint64Kind, protoreflect.Sfixed64Kind:
		n, err := strconv.ParseInt(text, 10, 64)
		return protoreflect.ValueOfInt64(n), err
	case protoreflect.Uint32Kind, protoreflect.Fixed32Kind:
		n, err := strconv.ParseUint(text, 10, 32)
		return protoreflect.ValueOfUint32(uint32(n)), err
	case protoreflect.Uint64Kind, protoreflect.Fixed64Kind:
		n, err := strconv.ParseUint(text, 10, 64)
		return protoreflect.ValueOfUint64(n), err
	case protoreflect.FloatKind:
		f, err := strconv.ParseFloat(text, 32)
		return protoreflect.ValueOfFloat32(float32(f)), err
	case protoreflect.DoubleKind:
		f, err := strconv.ParseFloat(text, 64)
		return protoreflect.ValueOfFloat64(f), err
	case protoreflect.MessageKind: // a timestamp
		at, err := time.Parse(time.RFC3339Nano, text)
		value := newValue(message, field)
		parts := value.Message().Descriptor().Fields()
		value.Message().Set(parts.ByName("seconds"), protoreflect.ValueOfInt64(at.Unix()))
		value.Message().Set(parts.ByName("nanos"), protoreflect.ValueOfInt32(int32(at.Nanosecond())))
		return value, err
	}
	return protoreflect.Value{}, errors.New("no such kind")
}
