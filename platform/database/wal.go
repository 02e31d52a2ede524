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

// rest bounds the write-ahead log. A commit copies it into the file and starts it again, but not while readers overlap without a gap.
// Then this holds back the next group, which is what lets the readers run out, for a moment: a longer reader may only delay it.
func (s *fileSession) rest() {
	if s.commits < walCheck || time.Now().Before(s.nextCut) {
		return
	}
	s.commits = 0
	info, err := os.Stat(s.wal)
	if err != nil || info.Size() < walLimit {
		return
	}
	if err := s.restartLog(); err != nil {
		s.nextCut = time.Now().Add(time.Second)
		s.log.Warn("write-ahead log could not be cut", "module", s.connector.module, "bytes", info.Size(), "error", err)
	}
}

func (s *fileSession) restartLog() error {
	if err := s.setBusyTimeout(cutTimeout); err != nil {
		return err
	}
	var busy, pages, copied int
	err := s.session.QueryRowContext(context.Background(), "PRAGMA wal_checkpoint(RESTART)").Scan(&busy, &pages, &copied)
	if err == nil && busy != 0 {
		err = fmt.Errorf("a reader holds it: %d of %d pages copied", copied, pages)
	}
	return errors.Join(err, s.setBusyTimeout(busyTimeout))
}
