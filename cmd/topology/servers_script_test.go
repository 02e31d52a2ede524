package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"kerf/cmd/topology/servers"
)

// script runs deploy/servers with its data in a folder.
func script(t *testing.T, data string, args ...string) (output string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", append([]string{filepath.Join("..", "..", "deploy", "servers")}, args...)...)
	cmd.Env = append(os.Environ(), "KERF_SERVERS_DATA="+data)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestTheScriptBringsServersUpAndDown(t *testing.T) {
	if err := servers.Check(servers.Postgres); err != nil {
		t.Skip(err)
	}
	data := filepath.Join(t.TempDir(), "servers")
	must := func(want string, args ...string) string {
		t.Helper()
		out, err := script(t, data, args...)
		if err != nil || !strings.Contains(out, want) {
			t.Fatalf("%v: %v: %s", args, err, out)
		}
		return out
	}
	must("postgres  not up", "status")
	if out, err := script(t, data, "env"); err == nil {
		t.Errorf("env of servers that are not up: %s", out)
	}
	must("up: postgres", "up", "postgres")
	defer func() {
		must("down", "down")
		must("not up", "down")
	}()
	must("up already", "up", "postgres")
	if out, err := script(t, data, "up", "kafka"); err == nil || !strings.Contains(out, "without kafka") {
		t.Errorf("up kafka beside it: %v: %s", err, out)
	}
	must("postgres  ready at 127.0.0.1:", "status")
	env := must("export KERF_TEST_POSTGRES=postgres://", "env")
	if strings.Contains(env, "_RESTART") || !strings.Contains(must("", "env", "restart"), "export KERF_TEST_POSTGRES_RESTART=") {
		t.Errorf("env: %s", env)
	}
	must("", "restart", "postgres")

	dsn, _, _ := strings.Cut(env[strings.Index(env, "postgres://"):], "\n")
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatalf("%s: %v", dsn, err)
	}
	defer conn.Close(t.Context())
	if _, err := conn.Exec(t.Context(), "CREATE DATABASE tests"); err != nil {
		t.Errorf("the administrator may not make a database: %v", err)
	}
}

func TestTheScriptExplainsItself(t *testing.T) {
	out, err := script(t, t.TempDir())
	if err == nil || !strings.Contains(out, "deploy/servers install") || !strings.Contains(out, "deploy/servers down") {
		t.Errorf("%v: %s", err, out)
	}
}
