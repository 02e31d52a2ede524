package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"

	"kerf/modules"
	"kerf/platform/config"
)

// TestReadmesOrderByHandLeadsToFoodThatIsReady runs README's block as a newcomer pastes it, against a server of this test.
func TestReadmesOrderByHandLeadsToFoodThatIsReady(t *testing.T) {
	for _, tool := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Logf("there is no %s here: README's commands cannot be run", tool)
			return
		}
	}
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, section, _ := strings.Cut(string(readme), "## Order by hand")
	_, block, _ := strings.Cut(section, "```sh\n")
	block, _, found := strings.Cut(block, "```")
	if !found || !strings.Contains(block, "api=http://127.0.0.1:8080\n") {
		t.Fatal("README has no block under \"Order by hand\" that names its server")
	}

	url, stop := serve(t)
	block = strings.Replace(block, "api=http://127.0.0.1:8080\n", "api="+url+"\n", 1)
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	command := exec.CommandContext(ctx, "bash", "-c", block)
	output, err := command.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	var complaints bytes.Buffer
	command.Stderr = &complaints
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	// The last command follows the order until it ends, which needs a courier: here it ends with the stream, when the server drains.
	seen := awaitText(output, `"status":"READY"`)
	stop()
	_ = command.Wait() // the stream was cut
	if !strings.Contains(seen, `"status":"READY"`) || strings.Contains(seen, `"code"`) {
		t.Errorf("the food is not ready:\n%s%s", seen, &complaints)
	}
}

// awaitText reads until text has come or nothing does any more, and returns what it has read.
func awaitText(r io.Reader, text string) string {
	var seen strings.Builder
	part := make([]byte, 4096)
	for !strings.Contains(seen.String(), text) {
		n, err := r.Read(part)
		seen.Write(part[:n])
		if err != nil {
			break
		}
	}
	return seen.String()
}

// serve runs an empty server without the demo, and returns its URL and what ends it.
func serve(t *testing.T) (url string, stop func()) {
	t.Helper()
	data := t.TempDir()
	cfg := config.Default()
	cfg.Listen, cfg.Data, cfg.Database.Dir, cfg.Log.Level = "127.0.0.1:0", data, data, "error"
	ready, stdout := io.Pipe()
	var log bytes.Buffer
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() {
		ended <- modules.Serve(ctx, cfg, modules.Options{Version: "test", Stdout: stdout, Stderr: &log})
		_ = stdout.Close()
	}()
	line := awaitText(ready, "\n")
	url, ok := strings.CutPrefix(strings.TrimSpace(line), "ready ")
	if !ok {
		cancel()
		t.Fatalf("the server did not become ready: %v\n%s", <-ended, &log)
	}
	return url, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the server failed: %v\n%s", err, &log)
		}
	}
}
