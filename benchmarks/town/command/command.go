// Package command is the subcommand load: it drives any deployment by its URL, and prints what it measured.
package command

import (
	"context"
	"io"
)

// Run does what the arguments say. An error with a method Usage that returns true says that they were wrong.
func Run(ctx context.Context, args []string, stdout, stderr io.Writer) error { return nil }
