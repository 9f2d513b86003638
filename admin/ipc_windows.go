package admin

import (
	"fmt"
	"net"
	"strings"

	"github.com/Microsoft/go-winio"
)

// openIPC makes a named pipe.
func openIPC(path string) (net.Listener, error) {
	if !strings.HasPrefix(path, `\\.\pipe\`) {
		return nil, fmt.Errorf(`%s is no name of a pipe; want \\.\pipe\NAME`, path)
	}
	return winio.ListenPipe(path, nil)
}

// removeIPC has nothing to do: a pipe is gone when it is closed.
func removeIPC(string) error { return nil }
