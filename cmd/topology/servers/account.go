package servers

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
)

// account is the user as which a server runs that refuses to run as root; nil if this process is not root.
type account struct {
	name     string
	uid, gid uint32
}

// unprivileged gives the user postgres, which the package of PostgreSQL makes, if this process is root.
func unprivileged() (*account, error) {
	if os.Geteuid() != 0 {
		return nil, nil
	}
	found, err := user.Lookup("postgres")
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL does not run as root, and there is no user postgres: %w", err)
	}
	uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
	gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
	return &account{name: found.Username, uid: uint32(uid), gid: uint32(gid)}, errors.Join(errUID, errGID)
}

// own gives a file or folder to the user.
func (a *account) own(path string) error {
	if a == nil {
		return nil
	}
	return os.Chown(path, int(a.uid), int(a.gid))
}

// become has a command run as the user, in its folder.
func (a *account) become(cmd *exec.Cmd, folder string) {
	cmd.Env = environment("PG", "LC_ALL=C")
	if a == nil {
		return
	}
	cmd.Dir = "/" // where root may be, another user may not
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: a.uid, Gid: a.gid}}
	a.pass(cmd, folder)
}
