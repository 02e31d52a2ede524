package database

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

const (
	// walLimit is the size in bytes from which the write-ahead log is cut, though readers may have to be waited for.
	walLimit = 16 << 20
	// walCheck is after how many commits its size is looked at.
	walCheck = 32
	// cutTimeout bounds how long cutting the log may keep commands waiting.
	cutTimeout = 50 * time.Millisecond
)

// cutLog bounds the write-ahead log. A commit copies it into the file and starts it again, but not while readers overlap without a gap.
// Then this holds back the next group, which is what lets the readers run out, for a moment: a longer reader may only delay it.
func (w *writer) cutLog() {
	if w.commits < walCheck || time.Now().Before(w.nextCut) {
		return
	}
	w.commits = 0
	info, err := os.Stat(w.wal)
	if err != nil || info.Size() < walLimit {
		return
	}
	if err := w.restartLog(); err != nil {
		w.nextCut = time.Now().Add(time.Second)
		w.log.Warn("write-ahead log could not be cut", "module", w.db.module, "bytes", info.Size(), "error", err)
	}
}

func (w *writer) restartLog() error {
	if err := w.conn.setBusyTimeout(cutTimeout); err != nil {
		return err
	}
	var busy, pages, copied int
	err := w.session.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(RESTART)").Scan(&busy, &pages, &copied)
	if err == nil && busy != 0 {
		err = fmt.Errorf("a reader holds it: %d of %d pages copied", copied, pages)
	}
	return errors.Join(err, w.conn.setBusyTimeout(busyTimeout))
}
