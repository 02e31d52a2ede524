package installation

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"

	"kerf/platform/database"
	"kerf/platform/ids"
)

// Config is what a process says of its part of the installation.
type Config struct {
	// ID is that of the installation which a fresh folder belongs to; a new one if empty.
	ID string
	// Placed are the modules with schemas that this process has.
	Placed []string
	// Elsewhere are the modules that it calls in other processes.
	Elsewhere []string
	// Whole says that every module of the installation keeps its schema under this folder's record: this process has them all, or others
	// share the folder.
	Whole bool
	// Shared says that other processes share the folder, so that a module which answers elsewhere has not left it.
	Shared bool
	// Init and Adopt are what the operator asks for.
	Init, Adopt []string
	// Schema tells where a module's data is.
	Schema func(module string) database.Config
}

// Installation is the record of a data folder, and opens the schemas that go with it.
type Installation struct {
	dir string
	cfg Config
	log *slog.Logger
	id  string // for a folder that has none yet
}

// Open reads the record of a data folder and looks at the schemas of all placed modules, of which it changes nothing. The error has a line
// for each that may not be opened, and says what to do.
func Open(ctx context.Context, dir string, cfg Config, log *slog.Logger) (*Installation, error) {
	i := &Installation{dir: dir, cfg: cfg, log: log, id: cfg.ID}
	if i.id == "" {
		i.id = ids.New()
	}
	r, err := i.read()
	if err != nil {
		return nil, err
	}
	var problems []string
	for _, module := range cfg.Placed {
		f, err := i.peek(ctx, module)
		if err != nil {
			return nil, err
		}
		d, err := decide(module, i.known(r, module), f)
		if err != nil {
			problems = append(problems, module+": "+err.Error())
			continue
		}
		if r.blank() {
			r.ID = d.id // the others have to be of the same
		}
		r.opened(module, d.epoch)
	}
	switch len(problems) {
	case 0:
		return i, nil
	case 1:
		return nil, fmt.Errorf("installation: %s", problems[0])
	}
	return nil, fmt.Errorf("installation: %d modules cannot start\n  %s", len(problems), strings.Join(problems, "\n  "))
}

// read gives the record, with an id if the folder has none yet.
func (i *Installation) read() (record, error) {
	r, err := readRecord(i.dir)
	switch {
	case err != nil:
		return r, fmt.Errorf("installation: %w", err)
	case r.ID == "":
		r.ID = i.id
	case i.cfg.ID != "" && r.ID != i.cfg.ID && !r.blank():
		return r, fmt.Errorf("installation: the folder %s is of %s, not of %s", i.dir, r.ID, i.cfg.ID)
	case i.cfg.ID != "":
		r.ID = i.cfg.ID
	}
	return r, nil
}

func (i *Installation) known(r record, module string) known {
	return known{
		id: r.ID, loose: r.blank() && i.cfg.ID == "",
		epoch: r.Modules[module], left: slices.Contains(r.Left, module), whole: i.cfg.Whole,
		init: slices.Contains(i.cfg.Init, module), adopt: slices.Contains(i.cfg.Adopt, module),
	}
}

const selectBinding = "SELECT id, epoch, place FROM installation WHERE one = 1"

func (i *Installation) peek(ctx context.Context, module string) (found, error) {
	f, err := look(ctx, module, i.cfg.Schema(module))
	adopted := f.bound && !f.shared && slices.Contains(i.cfg.Adopt, module)
	if err != nil || !adopted || f.last == f.place {
		return f, err
	}
	f.behind, err = leftBehind(ctx, module, f)
	return f, err
}

func look(ctx context.Context, module string, schema database.Config) (f found, err error) {
	place, err := database.Peek(ctx, module, schema, "installation", selectBinding, &f.id, &f.epoch, &f.last)
	f.place, f.shared, f.made, f.bound = place.Name, place.Shared, place.Made, place.Found
	return f, err
}

// Schema opens a module's schema and has it belong to the installation. It is refused as by Open, if things have changed since.
func (i *Installation) Schema(
	ctx context.Context, module string, migrations fs.FS, log *slog.Logger, reg prometheus.Registerer,
) (*database.DB, error) {
	f, err := i.peek(ctx, module)
	if err != nil {
		return nil, err
	}
	db, err := database.Open(ctx, module, i.cfg.Schema(module), migrations, log, reg)
	if err != nil {
		return nil, err
	}
	if err := locked(ctx, i.dir, func() error { return i.bind(ctx, db, f) }); err != nil {
		return nil, errors.Join(fmt.Errorf("installation: %s: %w", module, err), db.Close())
	}
	return db, nil
}

// bind writes into the schema first, and then into the record: a schema that knows more than the record is refused unless it was just
// made, and then belongs to it. The caller has the record's lock.
func (i *Installation) bind(ctx context.Context, db *database.DB, f found) error {
	module := db.Module()
	r, err := i.read()
	if err != nil {
		return err
	}
	if !r.written {
		// So that the id is kept which the first schema gets.
		if err := r.write(i.dir); err != nil {
			return err
		}
	}
	k := i.known(r, module)
	here := f.place
	if f.shared {
		here = ""
	}
	var d decision
	settled := func(query func(string, ...any) *sql.Row) (done bool, err error) {
		f := f
		if f.bound, err = readBinding(query, module, &f); err != nil {
			return false, err
		}
		d, err = decide(module, k, f)
		return f.bound && f.epoch == d.epoch && f.last == here, err
	}
	// A start that changes nothing writes nothing: it need not wait for whoever has the file locked.
	done, err := settled(func(query string, args ...any) *sql.Row { return db.QueryRow(ctx, query, args...) })
	if err == nil && !done {
		err = db.Write(ctx, func(_ context.Context, tx *database.Tx) error {
			if done, err := settled(tx.QueryRow); err != nil || done {
				return err
			}
			_, err := tx.Exec(`INSERT INTO installation (one, id, module, epoch, place) VALUES (1, ?, ?, ?, ?)
				ON CONFLICT (one) DO UPDATE SET epoch = excluded.epoch, place = excluded.place`, d.id, module, d.epoch, here)
			return err
		})
	}
	if err != nil {
		return err
	}
	if d.note != "" {
		i.log.Warn(d.note, "module", module)
	}
	next := r.clone()
	next.ID = d.id
	next.opened(module, d.epoch)
	if next.ID == r.ID && next.Modules[module] == r.Modules[module] && len(next.Left) == len(r.Left) {
		return nil
	}
	i.log.Info("a schema belongs to this folder now", "module", module, "epoch", d.epoch, "place", f.place)
	return next.write(i.dir)
}

// readBinding reads what the schema says of itself. One of another module is an error.
func readBinding(query func(string, ...any) *sql.Row, module string, f *found) (bound bool, err error) {
	var of string
	err = query("SELECT id, module, epoch, place FROM installation WHERE one = 1").Scan(&f.id, &of, &f.epoch, &f.last)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		return false, nil
	case err != nil:
		return false, err
	case of != module:
		return false, fmt.Errorf("%s is the schema of %s", f.place, of)
	}
	return true, nil
}

// Settle notes which modules have left the folder: those that it has had, and that answer elsewhere by now. It is called when all schemas
// of this process are open.
func (i *Installation) Settle(ctx context.Context) error {
	if i.cfg.Shared {
		return nil
	}
	return locked(ctx, i.dir, func() error {
		r, err := i.read()
		if err != nil {
			return err
		}
		next := r.clone()
		for _, module := range i.cfg.Elsewhere {
			had := r.Modules[module] > 0 && !slices.Contains(r.Left, module)
			if had && !slices.Contains(i.cfg.Placed, module) {
				next.Left = append(next.Left, module)
				i.log.Info("a module has left this folder", "module", module)
			}
		}
		if len(next.Left) == len(r.Left) {
			return nil
		}
		slices.Sort(next.Left)
		return next.write(i.dir)
	})
}
