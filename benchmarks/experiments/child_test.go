package experiments

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"

	"kerf/benchmarks/codec"
	"kerf/benchmarks/lab"
	"kerf/benchmarks/load"
	"kerf/benchmarks/usage"
	"kerf/cmd/topology/kfake"
	"kerf/platform/process"
)

// TestMain makes this test's program one of the children, when one is started.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && slices.Contains(Children, os.Args[1]) {
		os.Exit(process.Main(os.Stderr, func(ctx context.Context) error { return Child(ctx, os.Args[1:], os.Stdout, os.Stderr) }))
	}
	os.Exit(m.Run())
}

// componentTrial is a trial of an arm that needs no topology; windows are as short as can be.
func componentTrial(t *testing.T, e lab.Experiment, name string) *lab.Trial {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	setting := everything
	if setting.Source, err = filepath.Abs(setting.Source); err != nil {
		t.Fatal(err)
	}
	setting.Profile = lab.Profile{Name: lab.Quick.Name, Runs: 1, Warmup: 500 * time.Millisecond, Window: 2 * time.Second}
	arms, _, err := e.Arms(setting)
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(arms, func(arm lab.Arm) bool { return arm.Name == name })
	if i < 0 {
		t.Fatalf("%s has no arm %s", e.ID, name)
	}
	return &lab.Trial{
		Setting: setting, Experiment: e.ID, Arm: arms[i], Block: 1, Seed: 7, Dir: t.TempDir(), Self: self, Stage: func(string) {}, Record: &lab.Record{},
	}
}

// reported runs a child in this process and reads what it reports, as a run would.
func reported(t *testing.T, args ...string) lab.Record {
	t.Helper()
	var out bytes.Buffer
	if err := Child(t.Context(), args, &out, io.Discard); err != nil {
		t.Fatal(err)
	}
	var record lab.Record
	if err := json.Unmarshal(out.Bytes(), &record); err != nil {
		t.Fatalf("%v in %s", err, out.Bytes())
	}
	return record
}

// besides fails the test unless the record says what else the machine did in each of the windows.
func besides(t *testing.T, record lab.Record, windows ...string) {
	t.Helper()
	for _, name := range windows {
		if share, ok := record.Others[name]; !ok || share.Rest < -0.2 || share.Rest > 1 {
			t.Errorf("of the window %q it is told that others had %+v of the machine: %v", name, share, record.Others)
		}
	}
}

func expect(t *testing.T, record lab.Record, metrics ...lab.Metric) {
	t.Helper()
	for _, m := range metrics {
		if record.Values[m.Name] <= 0 || record.Samples[m.Name] <= 0 {
			t.Errorf("%s is %v of %d samples", m.Name, record.Values[m.Name], record.Samples[m.Name])
		}
	}
	if len(record.Violations) > 0 {
		t.Errorf("%v: %v", record.Violations, record.Told)
	}
}

func TestABusReportsWhatItCarried(t *testing.T) {
	broker, err := kfake.Start("127.0.0.1:0", "")
	if err != nil {
		t.Fatal(err)
	}
	defer broker.Close()
	for _, driver := range []string{"memory", "kafka"} {
		t.Run(driver, func(t *testing.T) {
			record := reported(t, "bus", "-driver", driver, "-address", broker.Address(), "-source", "../..",
				"-first", "100ms", "-warmup", "100ms", "-window", "400ms", "-rate", "200")
			expect(t, record, busMessages, busSingles, busCPU, busModuleCPU, busSinglesCPU)
			if len(record.Usage.Processes) != 1 {
				t.Errorf("%+v", record.Usage)
			}
			besides(t, record, "batches", "one at a time")
			if record.Values[busLate.Name] < lateTries {
				besides(t, record, "at the fixed rate")
				expect(t, record, busPacedCPU, busHandledP50, busPublishedP50)
			}
		})
	}
}

func TestACallIsAnsweredOverEachProtocol(t *testing.T) {
	for _, protocol := range []string{"in-process", "grpc", "connect", "json", "rest"} {
		t.Run(protocol, func(t *testing.T) {
			args := []string{"call", "-protocol", protocol, "-warmup", "50ms", "-closed", "100ms", "-open", "300ms", "-rate", "200"}
			if protocol != "in-process" {
				at := servingAt(t, protocol)
				args = append(args, "-address", at.Address, "-token", at.Token)
			}
			none := callWorks[0]
			record := reported(t, args...)
			expect(t, record, none.cpu())
			besides(t, record, "one caller")
			if record.Values[none.late().Name] < lateTries {
				besides(t, record, "at the fixed rate")
				expect(t, record, none.responseP50(), none.serviceP50(), none.paced())
			}
		})
	}
}

// servingAt serves in this process until the test ends.
func servingAt(t *testing.T, protocol string) serving {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	out, in := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		err := serveChild(ctx, []string{"-protocol", protocol}, in, io.Discard)
		_ = in.CloseWithError(err)
		ended <- err
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("serve %s: %v", protocol, err)
		}
	})
	var at serving
	if err := json.NewDecoder(out).Decode(&at); err != nil {
		t.Fatal(err)
	}
	return at
}

func TestRESTWantsAToken(t *testing.T) {
	at := servingAt(t, "rest")
	err := Child(t.Context(), []string{"call", "-protocol", "rest", "-address", at.Address, "-token", "none", "-warmup", "1ms"}, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "401") {
		t.Errorf("the call without a good token: %v", err)
	}
}

func TestACodecReportsWhatItCosts(t *testing.T) {
	record := reported(t, "codec", "-format", codec.Avro, "-source", "../..", "-each", "5ms")
	expect(t, record, formatBytes, formatZstd, formatZstdBatch, formatCPU, formatEncode, formatDecode, formatEncodeAllocs, formatDecodeAllocs)
	besides(t, record, "write and read")
	if record.Values[bytesOf("OrderPlaced")] < 100 {
		t.Errorf("OrderPlaced has %v bytes", record.Values[bytesOf("OrderPlaced")])
	}
}

func TestAnEventThatComesBackOtherwiseIsAViolation(t *testing.T) {
	if r := coded(codec.Cost{Unequal: []string{"OrderPlaced"}}); r.Violations["round trip"] != 1 || !strings.Contains(r.Told[0], "OrderPlaced") {
		t.Errorf("%+v", r)
	}
}

func TestChildrenFillTheRecordOfARun(t *testing.T) {
	trial := componentTrial(t, protocols(), "grpc")
	if err := exchange(t.Context(), trial); err != nil {
		t.Fatal(err)
	}
	for _, w := range callWorks {
		expect(t, *trial.Record, w.cpu(), w.served())
		besides(t, *trial.Record, "one caller"+w.suffix)
	}
	if with, without := trial.Record.Values[callWorks[1].cpu().Name], trial.Record.Values[callWorks[0].cpu().Name]; with < without+900 {
		t.Errorf("with 1 ms of work a call takes %v µs of CPU, without %v", with, without)
	}
}

func TestAPartInWhichTheGeneratorWasLateIsRepeatedAndThenLeftOut(t *testing.T) {
	for name, c := range map[string]struct {
		late   []time.Duration // of each try
		others float64         // share of the machine
		want   int
	}{
		"in time":     {[]time.Duration{0}, 0.15, 0},
		"once late":   {[]time.Duration{time.Second, 0}, 0, 1},
		"never well":  {[]time.Duration{time.Second, time.Second, time.Second}, 0, lateTries},
		"always busy": {[]time.Duration{0, 0, 0}, 0.25, lateTries},
	} {
		t.Run(name, func(t *testing.T) {
			tries := 0
			_, _, late, err := punctual("call", func() (load.Snapshot, usage.Window, error) {
				recorder := load.NewRecorder()
				recorder.Begin()
				_, err := load.NewCaller(recorder, 1, time.Minute).Do(t.Context(), "call", time.Now(), func(context.Context, int) error { return nil })
				s := recorder.Snapshot()
				of := s.Ops["call"]
				of.Scheduled = hdrhistogram.New(1, 60_000_000, 3)
				if err := of.Scheduled.RecordValues(c.late[tries].Microseconds(), 400); err != nil {
					t.Error(err)
				}
				s.Ops["call"] = of
				tries++
				return s, usage.Window{Seconds: 1, Cores: 2, CPU: map[usage.Role]float64{usage.Rest: 2 * c.others}}, err
			})
			if err != nil || late != c.want || tries != len(c.late) {
				t.Errorf("%d tries, %d late, %v", tries, late, err)
			}
		})
	}
}

func TestAChildEndsWithWhoeverHoldsIt(t *testing.T) {
	c, err := startChild(t.Context(), componentTrial(t, protocols(), "grpc"), "serve", "-protocol", "grpc")
	if err != nil {
		t.Fatal(err)
	}
	var at serving
	if err := c.hear(&at); err != nil || at.Address == "" {
		t.Fatalf("it serves at %q: %v", at.Address, err)
	}
	ended := make(chan error, 1)
	go func() { ended <- c.end() }()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it goes on though nobody holds it")
		_ = c.cmd.Process.Kill()
	}
}

func TestWhatFailsInAChildIsOneClearError(t *testing.T) {
	trial := componentTrial(t, buses(), "memory")
	err := ask(t.Context(), trial, "bus", "-driver", "pigeons", "-source", trial.Setting.Source)
	if err == nil || !strings.Contains(err.Error(), `there is no bus "pigeons"`) || strings.Contains(err.Error(), "\n") {
		t.Errorf("%v", err)
	}
}
