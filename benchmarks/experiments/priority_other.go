//go:build !linux

package experiments

import "errors"

func prefer(bool) error { return errors.New("the priority of threads is known of Linux only") }
