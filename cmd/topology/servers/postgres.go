package servers

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"kerf/cmd/topology/ports"
	"kerf/cmd/topology/supervise"
)

// postgresInstalled is where PostgreSQL's programs are.
type postgresInstalled struct{ server, initdb string }

func findPostgres() (postgresInstalled, error) {
	bin := filepath.Join(newest("/usr/lib/postgresql/*"), "bin")
	found := postgresInstalled{
		server: firstOf([]string{filepath.Join(bin, "postgres")}, "postgres"),
		initdb: firstOf([]string{filepath.Join(bin, "initdb")}, "initdb"),
	}
	if found.server == "" || found.initdb == "" {
		return found, &MissingError{Server: Postgres, Lacks: "neither /usr/lib/postgresql/*/bin/postgres nor postgres and initdb on PATH were found",
			Remedy: "install it (Debian: apt-get install postgresql)"}
	}
	return found, nil
}

// database is the one that is made for Kerf.
const database = "kerf"

func newPostgres(ctx context.Context, o Options) (*Server, error) {
	installed, err := findPostgres()
	if err != nil {
		return nil, err
	}
	who, err := unprivileged()
	if err != nil {
		return nil, err
	}
	taken, err := o.take(ctx, 1)
	if err != nil {
		return nil, err
	}
	// The password of whoever may do everything is made once, and kept beside the data.
	password, err := keep(filepath.Join(o.Dir, "password"))
	if err != nil {
		return nil, err
	}
	data := filepath.Join(o.Dir, "data")
	admin := url.URL{Scheme: "postgres", User: url.UserPassword("postgres", password), Host: ports.Address(taken[0]), Path: "/" + database}
	return &Server{
		Name:    Postgres,
		Address: admin.String(),
		Prepare: func(ctx context.Context) error { return initPostgres(ctx, installed, who, o.Dir, data, password) },
		Programs: []supervise.Spec{{
			Name: Postgres,
			Command: func() *exec.Cmd {
				o.Ports.Release(taken[0])
				cmd := exec.Command(installed.server, "-D", data, "-p", fmt.Sprint(taken[0]), "-h", "127.0.0.1", "-k", "",
					"-c", "max_connections=400", "-c", "shared_buffers=64MB", "-c", "log_min_messages=warning", "-c", "log_checkpoints=off")
				who.become(cmd, data)
				return cmd
			},
			Output: o.Output,
			Ready:  func(ctx context.Context) error { return postgresAnswers(ctx, admin) },
			// The fast shutdown: sessions are ended, and what was committed is written. SIGTERM would wait for the clients to go.
			Stop:  syscall.SIGINT,
			Grace: 20 * time.Second,
			// The immediate one: nothing is written, but nobody is left behind, as somebody may be after SIGKILL.
			Orphan: syscall.SIGQUIT,
		}},
	}, nil
}

// keep returns what a file holds: a password, which is made if there is none.
func keep(file string) (string, error) {
	content, err := os.ReadFile(file)
	if err == nil {
		return strings.TrimSpace(string(content)), nil
	}
	if !errors.Is(err, os.ErrNotExist) {
		return "", err
	}
	if err := os.MkdirAll(filepath.Dir(file), 0o711); err != nil {
		return "", err
	}
	password := rand.Text()
	return password, os.WriteFile(file, []byte(password+"\n"), 0o600)
}

// initPostgres makes the cluster, under another name until it is whole.
func initPostgres(ctx context.Context, installed postgresInstalled, who *account, dir, data, password string) (err error) {
	if _, err := os.Stat(filepath.Join(data, "PG_VERSION")); err == nil {
		return nil
	}
	// The folder may be entered by the user that PostgreSQL runs as; the password in it stays its owner's.
	if err := os.Chmod(dir, 0o711); err != nil {
		return err
	}
	part := data + ".part"
	if err := os.RemoveAll(part); err != nil {
		return err
	}
	if err := os.Mkdir(part, 0o700); err != nil {
		return err
	}
	secret, err := os.CreateTemp(dir, "initdb-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(secret.Name())) }()
	if _, err = secret.WriteString(password); err != nil {
		return err
	}
	if err = errors.Join(secret.Close(), who.own(secret.Name()), who.own(part)); err != nil {
		return err
	}
	cmd := exec.CommandContext(ctx, installed.initdb, "-D", part, "--auth=scram-sha-256", "--pwfile="+secret.Name(), "--username=postgres",
		"--encoding=UTF8", "--locale=C", "--no-instructions")
	who.become(cmd, part)
	if err = run(cmd); err != nil {
		return err
	}
	return os.Rename(part, data)
}

// postgresAnswers tells whether PostgreSQL takes statements, and makes Kerf's database if it is not there.
func postgresAnswers(ctx context.Context, admin url.URL) error {
	admin.Path = "/postgres"
	conn, err := pgx.Connect(ctx, admin.String())
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close(context.WithoutCancel(ctx)) }()
	var there bool
	if err := conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_database WHERE datname = $1)", database).Scan(&there); err != nil || there {
		return err
	}
	_, err = conn.Exec(ctx, "CREATE DATABASE "+database)
	return err
}
