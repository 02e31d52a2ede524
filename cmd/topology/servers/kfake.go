package servers

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"

	"kerf/cmd/topology/ports"
	"kerf/cmd/topology/supervise"
)

// newKfake is the broker that needs no installation: this program, started again as kfake.
func newKfake(ctx context.Context, o Options) (*Server, error) {
	taken, err := o.take(ctx, 1)
	if err != nil {
		return nil, err
	}
	data, address := filepath.Join(o.Dir, "data"), ports.Address(taken[0])
	return &Server{
		Name:    Kfake,
		Address: address,
		Prepare: func(context.Context) error { return os.MkdirAll(data, 0o700) },
		Programs: []supervise.Spec{{
			Name: Kfake,
			Command: func() *exec.Cmd {
				o.Ports.Release(taken[0])
				cmd := exec.Command(o.Self, "kfake", "-listen", address, "-data", data)
				cmd.Env = environment("KERF_")
				return cmd
			},
			Output:  o.Output,
			Ready:   func(ctx context.Context) error { return kafkaAnswers(ctx, address) },
			Misused: 2,
		}},
	}, nil
}
