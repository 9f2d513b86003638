// Package filelock has one process at a time use a file or a directory. The lock is the operating system's: it ends with the
// process that has it, however that ends.
package filelock

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// FileName is the name of the file that stands for a directory.
const FileName = "LOCK"

// ErrInUse is returned for what another process has locked, or this one.
var ErrInUse = errors.New("in use by another process")

// Lock locks an open file until that is closed. It does not wait: if somebody else has it, the error is [ErrInUse].
func Lock(f *os.File) error {
	if err := lock(f); err != nil {
		return fmt.Errorf("%s: %w", f.Name(), err)
	}
	return nil
}

// Dir locks a directory, which is made with mode 0700 if missing, until what it returns is closed. The error is [ErrInUse]
// if somebody else has it. The file it leaves there is empty and means nothing.
func Dir(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	f, err := os.OpenFile(filepath.Join(dir, FileName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := Lock(f); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}
