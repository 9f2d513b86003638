package admin

import (
	"fmt"
	"strings"

	"github.com/ethereum/go-ethereum/rpc"
)

// listenIPC opens the named pipe. go-ethereum's package accepts its connections, so Close does not wait for them.
func (e *Endpoint) listenIPC(c Config) error {
	if !strings.HasPrefix(c.IPCPath, `\\.\pipe\`) {
		return fmt.Errorf(`%s is no name of a pipe; want \\.\pipe\NAME`, c.IPCPath)
	}
	l, calls, err := rpc.StartIPCEndpoint(c.IPCPath, c.APIs)
	if err != nil {
		return err
	}
	e.ipc, e.calls = l, calls
	return nil
}

func (e *Endpoint) closeIPC() {
	e.ipc.Close()
	e.calls.Stop()
}
