package load

import (
	"errors"
	"io"
	"syscall"
)

// connectionKind tells what became of a connection.
func connectionKind(err error) string {
	switch {
	case errors.Is(err, syscall.ECONNREFUSED):
		return KindRefused
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return KindReset
	default:
		return KindOther
	}
}
