package database

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"

	"github.com/pressly/goose/v3"
)

// migrate brings the platform's tables and then the module's own to the newest version that this build has. Both keep their
// version apart, so that either can grow without renumbering the other.
func migrate(ctx context.Context, db *sql.DB, dialect goose.Dialect, module, driver string, migrations fs.FS) error {
	for _, part := range []struct{ folder, versions string }{
		{"platform/" + driver, "platform_version"},
		{module + "/" + driver, "module_version"},
	} {
		if err := migratePart(ctx, db, dialect, migrations, part.folder, part.versions); err != nil {
			return fmt.Errorf("migrate %s: %w", part.folder, err)
		}
	}
	return nil
}

// migratePart runs the migrations of one folder. A module without tables of its own has none.
func migratePart(ctx context.Context, db *sql.DB, dialect goose.Dialect, migrations fs.FS, folder, versions string) error {
	if _, err := fs.Stat(migrations, folder); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	files, err := fs.Sub(migrations, folder)
	if err != nil {
		return err
	}
	provider, err := goose.NewProvider(dialect, db, files, goose.WithTableName(versions), goose.WithDisableGlobalRegistry(true))
	if err != nil {
		return err
	}
	if _, err := provider.Up(ctx); err != nil {
		return err
	}
	current, target, err := provider.GetVersions(ctx)
	if err != nil {
		return err
	}
	if current > target {
		return fmt.Errorf("the schema has version %d, and this build knows none above %d", current, target)
	}
	return nil
}
