//go:build solaris || illumos || aix

package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// These systems have no lock that belongs to an open file. That of a process does not keep the process from itself.
func lock(f *os.File) error {
	err := unix.FcntlFlock(f.Fd(), unix.F_SETLK, &unix.Flock_t{Type: unix.F_WRLCK})
	if errors.Is(err, unix.EACCES) || errors.Is(err, unix.EAGAIN) {
		return ErrInUse
	}
	return err
}
