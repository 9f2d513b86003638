package admin

import (
	"errors"
	"net"
	"time"

	"github.com/ethereum/go-ethereum/rpc"
)

// listenIPC opens the socket, on Windows the named pipe, and serves it.
func (e *Endpoint) listenIPC(c Config) error {
	calls, err := serverOf(c.APIs, nil, &e.serving)
	if err != nil {
		return err
	}
	l, err := openIPC(c.IPCPath)
	if err != nil {
		return err
	}
	e.ipc, e.calls = limit(l, MaxConns), calls
	e.serving.Add(1)
	go e.acceptIPC()
	return nil
}

// acceptIPC serves connections until the listener is closed.
func (e *Endpoint) acceptIPC() {
	defer e.serving.Done()
	for {
		conn, err := e.ipc.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			e.log.Warn("RPC socket cannot accept", "err", err)
			<-time.After(100 * time.Millisecond) // out of file descriptors, say
			continue
		}
		e.serving.Add(1)
		go func() {
			defer e.serving.Done()
			e.calls.ServeCodec(rpc.NewCodec(wholeWrites{conn}), 0)
		}()
	}
}

// wholeWrites is a connection that ends when something could not be written, perhaps in the middle: what would follow makes no
// sense, and the server writes on.
type wholeWrites struct{ net.Conn }

func (c wholeWrites) Write(p []byte) (int, error) {
	n, err := c.Conn.Write(p)
	if err != nil {
		c.Close()
	}
	return n, err
}

func (e *Endpoint) closeIPC() {
	e.ipc.Close()
	e.calls.Stop()
	e.serving.Wait()
	if err := removeIPC(e.path); err != nil {
		e.log.Warn("RPC socket cannot be removed", "err", err)
	}
}
