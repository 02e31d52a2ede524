package database

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

const (
	// roleStatementTimeout and roleIdleTimeout end, for every session of a module's role, a statement that runs away, and a transaction that
	// nobody goes on with. What this package opens sets narrower ones.
	roleStatementTimeout = "60s"
	roleIdleTimeout      = "30s"
)

// SetupLock is the advisory lock that whoever changes a database's roles and rights holds meanwhile: PostgreSQL does not take two such
// changes at once.
const SetupLock int64 = 7236124501871263

// Setup makes, in the database that an administrator's DSN names, what modules need to keep their data there: for each a role, which may
// log in and connect to this database, and a schema of the module's name, which the role owns. No role may use the schema of another, nor
// the schema public; nobody else may connect, but for administrators. It returns the DSN of each module.
//
// Setting up again changes nothing that is there, and neither does doing so twice at the same time. Roles belong to the whole server, and
// are called <database>_<module>. A role gets the password that passwords has for its module, and its earlier one ends. For a module that
// passwords does not name, a new role gets a random password, and one that was there keeps its own, since processes may run with it; its DSN
// has no password then.
func Setup(ctx context.Context, admin string, modules []string, passwords map[string]string) (map[string]string, error) {
	base, err := url.Parse(admin)
	if err != nil || base.Scheme != "postgres" && base.Scheme != "postgresql" {
		return nil, fmt.Errorf("set up the database: %w", errDSN)
	}
	conn, err := pgx.Connect(ctx, admin)
	if err != nil {
		return nil, fmt.Errorf("set up the database: %w", err)
	}
	defer conn.Close(context.WithoutCancel(ctx))
	dsns := map[string]string{}
	err = pgx.BeginFunc(ctx, conn, func(tx pgx.Tx) error {
		i := &installer{tx: tx, database: conn.Config().Database}
		if err := i.begin(ctx); err != nil {
			return err
		}
		for _, module := range modules {
			password, err := i.install(ctx, module, passwords[module])
			if err != nil {
				return fmt.Errorf("module %s: %w", module, err)
			}
			dsn := *base
			dsn.User = url.User(i.role(module))
			if password != "" {
				dsn.User = url.UserPassword(i.role(module), password)
			}
			dsns[module] = dsn.String()
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("set up the database: %w", err)
	}
	return dsns, nil
}

// SetupText is what Setup returned as plain lines, a module and its DSN on each, and a remark if that has no password. They hold passwords.
func SetupText(dsns map[string]string) string {
	var b strings.Builder
	for _, module := range slices.Sorted(maps.Keys(dsns)) {
		fmt.Fprint(&b, module, " ", dsns[module])
		if !hasPassword(dsns[module]) {
			b.WriteString(" # role existed: its password was kept")
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func hasPassword(dsn string) bool {
	u, err := url.Parse(dsn)
	if err != nil || u.User == nil {
		return false
	}
	_, there := u.User.Password()
	return there
}

// installer works within one transaction of an administrator.
type installer struct {
	tx       pgx.Tx
	database string
	member   bool // the administrator is none to whom every right belongs, and must be a member of a role to give to it
}

func (i *installer) role(module string) string { return i.database + "_" + module }

// begin waits for another setup, and closes the database to all who are not named.
func (i *installer) begin(ctx context.Context) error {
	var super bool
	if err := i.tx.QueryRow(ctx, "SELECT rolsuper, pg_advisory_xact_lock($1) IS NULL FROM pg_roles WHERE rolname = current_user", SetupLock).
		Scan(&super, nil); err != nil {
		return err
	}
	i.member = !super
	database := pgx.Identifier{i.database}.Sanitize()
	return i.run(ctx,
		"REVOKE ALL ON DATABASE "+database+" FROM PUBLIC",
		"REVOKE ALL ON SCHEMA public FROM PUBLIC")
}

// install makes a module's role and schema. It returns the role's password, which is a new one if none is given, or "" if the role keeps
// the one that it had.
func (i *installer) install(ctx context.Context, module, password string) (string, error) {
	if module == "" || strings.HasPrefix(module, "pg_") || len(i.role(module)) > 63 {
		return "", errors.New("its name cannot be a schema's and a role's")
	}
	role, schema := pgx.Identifier{i.role(module)}.Sanitize(), pgx.Identifier{module}.Sanitize()
	var roleThere, schemaThere bool
	if err := i.tx.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_roles WHERE rolname = $1), EXISTS (SELECT FROM pg_namespace WHERE nspname = $2)",
		i.role(module), module).Scan(&roleThere, &schemaThere); err != nil {
		return "", err
	}
	statements := []string{}
	if !roleThere {
		statements = append(statements, "CREATE ROLE "+role)
		if password == "" {
			password = rand.Text()
		}
	}
	if password != "" {
		statements = append(statements, "ALTER ROLE "+role+" PASSWORD "+quote(password))
	}
	statements = append(statements,
		"ALTER ROLE "+role+" LOGIN NOINHERIT NOCREATEDB NOCREATEROLE",
		"ALTER ROLE "+role+" SET statement_timeout = "+quote(roleStatementTimeout),
		"ALTER ROLE "+role+" SET idle_in_transaction_session_timeout = "+quote(roleIdleTimeout),
		"ALTER ROLE "+role+" SET search_path = "+schema,
		"GRANT CONNECT ON DATABASE "+pgx.Identifier{i.database}.Sanitize()+" TO "+role)
	if i.member {
		statements = append(statements, "GRANT "+role+" TO CURRENT_USER")
	}
	if schemaThere {
		statements = append(statements, "ALTER SCHEMA "+schema+" OWNER TO "+role)
	} else {
		statements = append(statements, "CREATE SCHEMA "+schema+" AUTHORIZATION "+role)
	}
	statements = append(statements, "REVOKE ALL ON SCHEMA "+schema+" FROM PUBLIC")
	return password, i.run(ctx, statements...)
}

func (i *installer) run(ctx context.Context, statements ...string) error {
	for _, statement := range statements {
		if _, err := i.tx.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}

func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
