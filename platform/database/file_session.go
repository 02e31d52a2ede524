package database

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"log/slog"
	"time"
)

// fileSession is the writer's one connection to a SQLite file.
type fileSession struct {
	*connection // the same connection as session, past database/sql
	log         *slog.Logger
	wal         string // path of the write-ahead log
	session     *sql.Conn
	control     [len(controlText)]driver.Stmt
	number      int64
	commits     int // since the write-ahead log was last looked at
	nextCut     time.Time
}

func openFileSession(ctx context.Context, f *file) (*fileSession, error) {
	session, err := f.pool.Conn(ctx) // for good
	if err != nil {
		return nil, err
	}
	s := &fileSession{log: f.log, wal: f.path + "-wal", session: session}
	return s, session.Raw(func(c any) error {
		s.connection = c.(*connection)
		for i, text := range controlText {
			if s.control[i], err = s.SQLiteConn.Prepare(text); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *fileSession) steer(to control) error {
	_, err := s.control[to].(driver.StmtExecContext).ExecContext(context.Background(), nil)
	if err != nil {
		return s.note(err)
	}
	if to == undo || to == undoInner {
		s.broken = nil
	}
	return nil
}

func (s *fileSession) begin() error {
	if !s.AutoCommit() {
		s.rollback() // The last one did not succeed.
	}
	s.failure, s.broken = nil, nil // the last one's
	s.number++
	return s.steer(begin)
}

func (s *fileSession) transaction() int64 { return s.number }

func (s *fileSession) commit([]string) (loss, error) {
	if err := s.steer(commit); err != nil {
		s.rollback()
		return spoiled, err
	}
	s.commits++
	return intact, nil
}

func (s *fileSession) onceKnown(func()) {}

// rollback ends a transaction, unless SQLite has ended it already.
func (s *fileSession) rollback() {
	s.closeRows()
	s.broken = nil
	if s.AutoCommit() {
		return
	}
	if err := s.steer(rollback); err != nil {
		s.log.Error("transaction could not be rolled back", "module", s.connector.module, "error", err)
	}
}

// lost: SQLite ends a transaction by itself when a statement of it met a full disk or an I/O error.
func (s *fileSession) lost() loss {
	if s.AutoCommit() {
		return spoiled
	}
	return intact
}

func (s *fileSession) settle() error { return nil }

func (s *fileSession) executeLater(query string, args []any) error {
	_, err := s.execute(query, args)
	return err
}

func (s *fileSession) query(ctx context.Context, query string, args []any) (*sql.Rows, error) {
	return s.session.QueryContext(ctx, query, args...)
}

func (s *fileSession) queryRow(ctx context.Context, query string, args []any) *sql.Row {
	return s.session.QueryRowContext(ctx, query, args...)
}

func (s *fileSession) failed() error { return s.broken }

// close goes past database/sql, whose Close would wait for ever for a result that somebody forgot to close.
func (s *fileSession) close() error {
	for _, c := range s.control {
		if c != nil {
			c.Close()
		}
	}
	return s.connection.Close()
}
