package main

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"net"
	"os"
	"path/filepath"
	"testing"

	"kerf/cmd/simulate/day"
	"kerf/platform/process"
)

func TestWrongUseIsTold(t *testing.T) {
	for _, args := range [][]string{
		{}, {"-instance", "x", "-make", "y"}, {"-instance", "x", "-speed", "-1"}, {"-instance", "x", "-timeout", "0s"}, {"-instance", "x", "more"},
		{"-nonsense"}, {"-instance", filepath.Join(t.TempDir(), "nowhere")},
	} {
		err := run(t.Context(), args, new(bytes.Buffer), new(bytes.Buffer))
		if process.ExitStatus(err) != process.Misuse {
			t.Errorf("%v: status %d, %v", args, process.ExitStatus(err), err)
		}
	}
	if err := run(t.Context(), []string{"-help"}, new(bytes.Buffer), new(bytes.Buffer)); !errors.Is(err, flag.ErrHelp) {
		t.Errorf("-help: %v", err)
	}
}

func TestAnInstanceThatIsWrongIsTheUsersToMend(t *testing.T) {
	dir := t.TempDir()
	if err := day.Small(1).Write(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "orders.txt"), []byte("nonsense\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	err := run(t.Context(), []string{"-instance", dir}, new(bytes.Buffer), new(bytes.Buffer))
	if process.ExitStatus(err) != process.Misuse {
		t.Errorf("status %d, %v", process.ExitStatus(err), err)
	}
}

func TestAFolderWithoutADayIsNamedOnce(t *testing.T) {
	dir := t.TempDir()
	nowhere, file, empty := filepath.Join(dir, "nowhere"), filepath.Join(dir, "couriers.txt"), dir
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for instance, want := range map[string]string{
		nowhere: nowhere + ": there is no such folder",
		file:    file + ": is no folder",
		empty:   empty + ": has no instance_parameters.txt, restaurants.txt, orders.txt",
	} {
		err := run(t.Context(), []string{"-instance", instance}, new(bytes.Buffer), new(bytes.Buffer))
		if err == nil || err.Error() != want || process.ExitStatus(err) != process.Misuse {
			t.Errorf("status %d, %v", process.ExitStatus(err), err)
		}
	}
}

func TestStoppedWhileTheTargetDoesNotAnswer(t *testing.T) {
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	dir := t.TempDir()
	if err := day.Small(1).Write(dir); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancelCause(t.Context())
	go func() {
		if asked, err := silent.Accept(); err == nil {
			defer asked.Close()
		}
		stop(errors.New("signal: interrupt"))
	}()
	target := "http://" + silent.Addr().String()
	err = run(ctx, []string{"-instance", dir, "-target", target}, new(bytes.Buffer), new(bytes.Buffer))
	if want := "stopped while waiting for " + target + ": signal: interrupt"; err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

func TestMakeWritesADayThatCanBeRead(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "small")
	if err := run(t.Context(), []string{"-make", dir, "-seed", "7"}, new(bytes.Buffer), new(bytes.Buffer)); err != nil {
		t.Fatal(err)
	}
	if d, err := day.Read(dir); err != nil || len(d.Orders) != len(day.Small(7).Orders) {
		t.Errorf("%d orders, %v", len(d.Orders), err)
	}
}
