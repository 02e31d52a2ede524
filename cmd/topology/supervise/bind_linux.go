package supervise

import (
	"os/exec"
	"syscall"
)

func bind(cmd *exec.Cmd, orphan syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
	cmd.SysProcAttr.Pdeathsig = orphan
}
