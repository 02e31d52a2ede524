package bustest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
)

var update = flag.Bool("update", false, "write the golden files of events that have none")

// Golden holds events, with all their fields filled, against the files in testdata that keep them as they were first published. The
// files are never changed: old rows of outboxes look like that.
func Golden(t *testing.T, events ...proto.Message) {
	t.Helper()
	for _, event := range events {
		message := event.ProtoReflect()
		name := string(message.Descriptor().Name())
		t.Run(name, func(t *testing.T) {
			fields := message.Descriptor().Fields()
			for i := range fields.Len() {
				if field := fields.Get(i); !message.Has(field) {
					t.Errorf("the golden event leaves %s out", field.Name())
				}
			}
			golden(t, name+".json", event, protojson.MarshalOptions{Multiline: true}.Marshal, protojson.Unmarshal)
			golden(t, name+".bin", event, proto.MarshalOptions{Deterministic: true}.Marshal, proto.Unmarshal)
		})
	}
}

func golden(t *testing.T, file string, event proto.Message, write func(proto.Message) ([]byte, error), read func([]byte, proto.Message) error) {
	t.Helper()
	path := filepath.Join("testdata", file)
	if _, err := os.Stat(path); *update && os.IsNotExist(err) {
		data, err := write(event)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	got := event.ProtoReflect().New().Interface()
	if err := read(data, got); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(event, got, protocmp.Transform()); diff != "" {
		t.Errorf("%s (-want +got):\n%s", file, diff)
	}
}
