package codec

import (
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"

	"github.com/google/uuid"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"

	// Every module's events.
	_ "kerf/modules/accounting/accountingapi"
	_ "kerf/modules/consumers/consumersapi"
	_ "kerf/modules/delivery/deliveryapi"
	_ "kerf/modules/kitchen/kitchenapi"
	_ "kerf/modules/orders/ordersapi"
	_ "kerf/modules/restaurants/restaurantsapi"
)

// Golden reads the golden events of all modules from Kerf's source: one of each event there is, with every field filled, in the order of their names.
func Golden(source string) ([]proto.Message, error) {
	files, err := filepath.Glob(filepath.Join(source, "modules", "*", "*api", "testdata", "*.bin"))
	if err != nil {
		return nil, err
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("no golden events in %s", filepath.Join(source, "modules"))
	}
	events := make([]proto.Message, len(files))
	for i, file := range files {
		module := filepath.Base(filepath.Dir(filepath.Dir(filepath.Dir(file))))
		name := "kerf." + module + ".v1." + strings.TrimSuffix(filepath.Base(file), ".bin")
		kind, err := protoregistry.GlobalTypes.FindMessageByName(protoreflect.FullName(name))
		if err != nil {
			return nil, fmt.Errorf("golden event %s: %w", name, err)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		events[i] = kind.New().Interface()
		if err := proto.Unmarshal(data, events[i]); err != nil {
			return nil, fmt.Errorf("golden event %s: %w", name, err)
		}
	}
	return events, nil
}

// Vary returns a copy of an event as it might have happened to another order: its ids, amounts, positions and instants are other ones. Golden events share
// theirs, and a compressor would find that all too easy.
func Vary(event proto.Message, random *rand.Rand) proto.Message {
	other := proto.Clone(event)
	vary(other.ProtoReflect(), random, map[string]string{})
	return other
}

// vary replaces what is in a message; ids that were the same stay so.
func vary(message protoreflect.Message, random *rand.Rand, ids map[string]string) {
	message.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsList():
			list := value.List()
			for i := range list.Len() {
				if field.Message() != nil {
					vary(list.Get(i).Message(), random, ids)
				} else if field.Kind() == protoreflect.StringKind {
					list.Set(i, protoreflect.ValueOfString(varyID(list.Get(i).String(), random, ids)))
				}
			}
		case field.Message() != nil:
			vary(value.Message(), random, ids)
		case field.Kind() == protoreflect.StringKind:
			message.Set(field, protoreflect.ValueOfString(varyID(value.String(), random, ids)))
		case field.FullName() == timestamp.Append("seconds"):
			message.Set(field, protoreflect.ValueOfInt64(value.Int()+random.Int64N(86_400)))
		case field.FullName() == timestamp.Append("nanos"):
			message.Set(field, protoreflect.ValueOfInt32(random.Int32N(1_000_000)*1000)) // microseconds, as databases keep them
		case field.Kind() == protoreflect.Int64Kind:
			message.Set(field, protoreflect.ValueOfInt64(1+random.Int64N(2*max(value.Int(), 1))))
		case field.Kind() == protoreflect.DoubleKind:
			message.Set(field, protoreflect.ValueOfFloat64(math.Round(value.Float()*1e6+float64(random.IntN(100_000)))/1e6)) // a tenth of a metre
		}
		return true
	})
}

// varyID replaces a UUID by another one of version 7 from the same day; other text stays, since words repeat in life too.
func varyID(text string, random *rand.Rand, ids map[string]string) string {
	old, err := uuid.Parse(text)
	if err != nil {
		return text
	}
	if ids[text] == "" {
		for i := 3; i < len(old); i++ {
			old[i] = byte(random.Uint32())
		}
		old[6], old[8] = old[6]&0x0f|0x70, old[8]&0x3f|0x80
		ids[text] = old.String()
	}
	return ids[text]
}
