package modules_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/timestamppb"

	"kerf/modules"
	"kerf/platform/bus"
)

// TestEveryEventHasGoldenFilesInBothFormats takes the events from the contracts' descriptors, so that one which nobody wrote a golden
// file for is found. Its module's own test holds what is in the files against what the code says.
func TestEveryEventHasGoldenFilesInBothFormats(t *testing.T) {
	expected := 0
	for _, module := range modules.Names {
		dir := filepath.Join(module, module+"api", "testdata")
		events := eventsOf(contract(module))
		expected += len(events)
		for name, kind := range events {
			t.Run(module+"/"+name, func(t *testing.T) {
				if err := checkGolden(dir, name, kind); err != nil {
					t.Error(err)
				}
			})
		}
		for _, name := range goldenFiles(t, dir) {
			if events[name] == nil {
				t.Errorf("%s: %s was published once, and is no event of the contract any more", module, name)
			}
		}
	}
	if expected < 48 { // as many as there were when this was written; contracts only grow
		t.Errorf("only %d events were found in the contracts", expected)
	}
}

func TestAMissingGoldenFileIsNoticed(t *testing.T) {
	dir := t.TempDir()
	kind := (&timestamppb.Timestamp{}).ProtoReflect().Type()
	event := &timestamppb.Timestamp{Seconds: 1, Nanos: 1000}
	write := func(file string, format bus.Format, event proto.Message) {
		payload, err := format.Encode(event)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, file), payload, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, step := range []struct {
		add  func()
		says string
	}{
		{func() {}, "no such file"},
		{func() { write("Timestamp.bin", bus.Protobuf, event) }, "no such file"},
		{func() { write("Timestamp.json", bus.JSON, &timestamppb.Timestamp{Seconds: 2}) }, "differ"},
		{func() { write("Timestamp.json", bus.JSON, event) }, ""},
	} {
		step.add()
		err := checkGolden(dir, "Timestamp", kind)
		if (err == nil) != (step.says == "") || err != nil && !strings.Contains(err.Error(), step.says) {
			t.Errorf("got %v, want %q", err, step.says)
		}
	}
}

// checkGolden reports what keeps the two files of an event from being read as the same event, by the content type that the bus says.
func checkGolden(dir, name string, kind protoreflect.MessageType) error {
	var read []proto.Message
	for _, file := range []struct {
		ending string
		format bus.Format
	}{{".bin", bus.Protobuf}, {".json", bus.JSON}} {
		payload, err := os.ReadFile(filepath.Join(dir, name+file.ending))
		if err != nil {
			return err
		}
		event := kind.New().Interface()
		if err := bus.Decode(file.format.ContentType(), payload, event); err != nil {
			return fmt.Errorf("%s%s: %w", name, file.ending, err)
		}
		read = append(read, event)
	}
	if diff := cmp.Diff(read[0], read[1], protocmp.Transform()); diff != "" {
		return errors.New("the formats differ: " + diff)
	}
	return nil
}

// goldenFiles returns the names of the events that a folder holds; none if there is no folder.
func goldenFiles(t *testing.T, dir string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, "*.bin"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, path := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(path), ".bin"))
	}
	return names
}

// contract returns the files of a module's package, of which the gateway has none.
func contract(module string) []protoreflect.FileDescriptor {
	var files []protoreflect.FileDescriptor
	name := protoreflect.FullName("kerf." + module + ".v1")
	protoregistry.GlobalFiles.RangeFilesByPackage(name, func(file protoreflect.FileDescriptor) bool {
		files = append(files, file)
		return true
	})
	return files
}

// eventsOf returns the messages that are facts: those to which neither an operation nor another message refers. The catalogue is made
// by the same rule.
func eventsOf(files []protoreflect.FileDescriptor) map[string]protoreflect.MessageType {
	events := map[string]protoreflect.MessageType{}
	referred := map[protoreflect.FullName]bool{}
	for _, file := range files {
		for i := range file.Services().Len() {
			methods := file.Services().Get(i).Methods()
			for j := range methods.Len() {
				referred[methods.Get(j).Input().FullName()], referred[methods.Get(j).Output().FullName()] = true, true
			}
		}
		for i := range file.Messages().Len() {
			refer(file.Messages().Get(i), referred)
		}
	}
	for _, file := range files {
		for i := range file.Messages().Len() {
			name := file.Messages().Get(i).FullName()
			if kind, err := protoregistry.GlobalTypes.FindMessageByName(name); err == nil && !referred[name] {
				events[string(name.Name())] = kind
			}
		}
	}
	return events
}

func refer(message protoreflect.MessageDescriptor, referred map[protoreflect.FullName]bool) {
	for i := range message.Fields().Len() {
		if part := message.Fields().Get(i).Message(); part != nil && part != message {
			referred[part.FullName()] = true
		}
	}
	for i := range message.Messages().Len() {
		refer(message.Messages().Get(i), referred)
	}
}
