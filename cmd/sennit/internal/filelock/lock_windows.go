package filelock

import (
	"errors"
	"os"

	"golang.org/x/sys/windows"
)

// Locks bind those who read and write as well here, so the byte that is locked is one that no file has.
const lockOffsetHigh = 1 << 30

func lock(f *os.File) error {
	at := &windows.Overlapped{OffsetHigh: lockOffsetHigh}
	err := windows.LockFileEx(windows.Handle(f.Fd()), windows.LOCKFILE_EXCLUSIVE_LOCK|windows.LOCKFILE_FAIL_IMMEDIATELY, 0, 1, 0, at)
	if errors.Is(err, windows.ERROR_LOCK_VIOLATION) {
		return ErrInUse
	}
	return err
}
