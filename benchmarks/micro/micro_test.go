package micro_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"kerf/benchmarks/micro"
)

func write(t *testing.T, text string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "micro.txt")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

const printed = `goos: linux
pkg: kerf/platform/placement
BenchmarkLocalCall-2   	 100	 12.0 plain-ns/call	 210 over-ns/call
BenchmarkLocalCall-2   	 100	 14.0 plain-ns/call	 190 over-ns/call
BenchmarkLocalCall-2   	 100	 13.0 plain-ns/call	 230 over-ns/call
PASS
ok  	kerf/platform/placement	2.0s
pkg: kerf/benchmarks/codec
BenchmarkEncode/json-2 	 1000	 1453 ns/op	 951 B/op
PASS
`

func TestBenchmarksAreReadAsTheyWerePrinted(t *testing.T) {
	lines, err := micro.Read(write(t, printed))
	if err != nil {
		t.Fatal(err)
	}
	want := []micro.Line{
		{Package: "kerf/platform/placement", Name: "LocalCall-2", Unit: "plain-ns/call", N: 3, Median: 13, Low: 12, High: 14},
		{Package: "kerf/platform/placement", Name: "LocalCall-2", Unit: "over-ns/call", N: 3, Median: 210, Low: 190, High: 230},
		{Package: "kerf/benchmarks/codec", Name: "Encode/json-2", Unit: "ns/op", N: 1, Median: 1453, Low: 1453, High: 1453},
		{Package: "kerf/benchmarks/codec", Name: "Encode/json-2", Unit: "B/op", N: 1, Median: 951, Low: 951, High: 951},
	}
	if diff := cmp.Diff(want, lines); diff != "" {
		t.Error(diff)
	}
	if got, want := lines[1].String(), "kerf/platform/placement LocalCall-2: 210.0 over-ns/call (190.0–230.0), n = 3"; got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

func TestWhatHoldsNoBenchmarksIsOneClearError(t *testing.T) {
	for name, file := range map[string]string{
		"another text":     write(t, "the quick brown fox\n"),
		"no file":          filepath.Join(t.TempDir(), "none"),
		"a malformed line": write(t, "BenchmarkX-2 many 12 ns/op\n"),
	} {
		lines, err := micro.Read(file)
		if err == nil || strings.Contains(err.Error(), "\n") || !strings.HasPrefix(err.Error(), "read benchmarks: ") {
			t.Errorf("%s: %v, %v", name, lines, err)
		}
	}
}
