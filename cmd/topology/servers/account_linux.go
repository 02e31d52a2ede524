package servers

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"

	"golang.org/x/sys/unix"
)

// pass lets the command through folders above its own which only root may enter, as one that mktemp made. It is given the least of root's
// rights that is enough, to enter folders and to read, and only where it is needed.
func (a *account) pass(cmd *exec.Cmd, folder string) {
	if a.mayEnter(filepath.Dir(folder)) {
		return
	}
	for _, right := range []uintptr{unix.CAP_DAC_READ_SEARCH, unix.CAP_DAC_OVERRIDE} { // containers often have only the second
		if held(right) {
			cmd.SysProcAttr.AmbientCaps = []uintptr{right}
			return
		}
	}
}

// mayEnter tells whether the user may pass through a folder and those above it.
func (a *account) mayEnter(folder string) bool {
	for {
		info, err := os.Stat(folder)
		if err != nil {
			return false
		}
		enter := info.Mode()&0o001 != 0
		if stat, ok := info.Sys().(*syscall.Stat_t); ok {
			enter = enter || stat.Uid == a.uid && info.Mode()&0o100 != 0 || stat.Gid == a.gid && info.Mode()&0o010 != 0
		}
		above := filepath.Dir(folder)
		if !enter || above == folder {
			return enter
		}
		folder = above
	}
}

// held tells whether this process has a right that it can hand on.
func held(right uintptr) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if unix.Capget(&header, &data[0]) != nil {
		return false
	}
	return data[right/32].Permitted&(1<<(right%32)) != 0
}
