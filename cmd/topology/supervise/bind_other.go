//go:build !linux

package supervise

import (
	"os/exec"
	"syscall"
)

// bind cannot have the kernel tell the child of its parent's death here.
func bind(cmd *exec.Cmd, _ syscall.Signal) {
	if cmd.SysProcAttr == nil {
		cmd.SysProcAttr = &syscall.SysProcAttr{}
	}
	cmd.SysProcAttr.Setpgid = true
}
