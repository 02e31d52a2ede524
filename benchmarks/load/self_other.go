//go:build !unix

package load

import (
	"errors"
	"time"
)

// Self is the CPU time that this process has used. It cannot be told here.
func Self() (time.Duration, error) {
	return 0, errors.New("the CPU time of this process can only be told on Unix")
}
