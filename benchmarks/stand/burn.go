package stand

import (
	"context"
	"errors"
)

// Burn is the command "burn -share S -pids A,B,…": it uses so much of the CPU that those processes use, until they or its parent have ended.
func Burn(ctx context.Context, args []string) error { return errors.New("stand: not yet") }
