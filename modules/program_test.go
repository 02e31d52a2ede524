package modules_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"

	"kerf/modules"
	"kerf/platform/config"
	"kerf/platform/database/databasetest"
	"kerf/platform/ids"
	"kerf/platform/process"
)

// output runs the part program to its end and gives what it printed.
func output(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var stdout strings.Builder
	err := modules.Part().Run(t.Context(), args, nil, &stdout, io.Discard)
	return stdout.String(), err
}

func TestAPartIsToldWhichModules(t *testing.T) {
	_, err := output(t)
	if err == nil || err.Error() != "configuration: modules: want all, or a list of names" || process.ExitStatus(err) != process.Misuse {
		t.Errorf("error = %v", err)
	}
	_, err = output(t, "-modules", "orders,kitchn")
	var bad *config.Error
	if !errors.As(err, &bad) || !slices.Contains(bad.Problems, "modules (-modules): there is no module kitchn, did you mean kitchen?") ||
		!slices.Contains(bad.Problems, "remotes.accounting: is missing: accounting is not placed here, and called by orders") {
		t.Errorf("error = %v", err)
	}
}

func TestAPartPrintsWhatItIsAskedFor(t *testing.T) {
	for want, args := range map[string][]string{
		"kerf ":           {"-version"},
		"127.0.0.1:9090":  {"-h"},
		"here":            {"-plan", "-modules", "all"},
		"-setup-database": {"-help"},
	} {
		if got, err := output(t, args...); err != nil || !strings.Contains(got, want) {
			t.Errorf("%v: %v, no %q in:\n%s", args, err, want, got)
		}
	}
}

func TestAPartSaysWhereItsGatewayAnswers(t *testing.T) {
	ctx, stop := context.WithCancel(t.Context())
	out, stdout := io.Pipe()
	ended := make(chan error, 1)
	go func() {
		ended <- modules.Part().Run(ctx, []string{"-modules", "all", "-listen", "127.0.0.1:0", "-internal", "127.0.0.1:0", "-data", t.TempDir()}, nil, stdout, io.Discard)
		_ = stdout.Close() // never fails
	}()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err, <-ended)
	}
	url := strings.TrimSpace(strings.TrimPrefix(line, "ready "))
	answer, err := http.Get(url + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Errorf("%s/readyz answers %s", url, answer.Status)
	}
	stop()
	if err := <-ended; err != nil {
		t.Error(err)
	}
}

func TestTheDatabaseIsSetUpForThePlacedModules(t *testing.T) {
	admin := ownDatabase(t)
	got, err := output(t, "-modules", "kitchen,gateway", "-setup-database", admin)
	module, dsn, _ := strings.Cut(strings.TrimSpace(got), " ")
	if err != nil || module != "kitchen" {
		t.Fatalf("%v, printed:\n%s", err, got)
	}
	conn, err := pgx.Connect(t.Context(), dsn)
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(t.Context()); err != nil {
		t.Error(err)
	}
	again, err := output(t, "-modules", "kitchen", "-setup-database", admin)
	if err != nil || !strings.HasSuffix(again, " # role existed: its password was kept\n") {
		t.Errorf("%v, printed the second time:\n%s", err, again)
	}
}

// ownDatabase makes a database that the test ends with, since setting it up changes who may connect. It gives an administrator's DSN.
func ownDatabase(t *testing.T) string {
	t.Helper()
	admin, name := databasetest.Admin(t), "kerf_"+strings.ReplaceAll(ids.New(), "-", "_")
	execute := func(statement string) {
		ctx := context.WithoutCancel(t.Context())
		conn, err := pgx.Connect(ctx, admin)
		if err == nil {
			_, err = conn.Exec(ctx, statement)
			err = errors.Join(err, conn.Close(ctx))
		}
		if err != nil {
			t.Errorf("%s: %v", statement, err)
		}
	}
	execute("CREATE DATABASE " + name + " TEMPLATE template0")
	t.Cleanup(func() {
		execute("DROP DATABASE " + name + " WITH (FORCE)")
		execute("DROP ROLE IF EXISTS " + name + "_kitchen")
	})
	own, err := url.Parse(admin)
	if err != nil {
		t.Fatal(err)
	}
	own.Path = "/" + name
	return own.String()
}
