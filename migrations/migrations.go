// Package migrations embeds the schema of every module as plain SQL, one folder per module and database: <module>/sqlite/*.sql, <module>/postgres/*.sql.
// The folder platform holds the tables that every module's schema has.
package migrations

import "embed"

// FS holds all migrations, named <module>/<driver>/<number>_<name>.sql.
//
//go:embed */sqlite/*.sql */postgres/*.sql
var FS embed.FS
