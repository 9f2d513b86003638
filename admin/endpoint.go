package admin

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"sync"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
)

// The limits of an endpoint. What a call itself may cost is the business of its method.
const (
	// MaxConns is how many connections the unix socket, or the pipe, serves at a time, and how many HTTP does. More wait
	// until one of them is closed.
	MaxConns = 64

	// MaxRequest is the size of the largest request over HTTP and WebSocket, in bytes. The unix socket, which only
	// the user can open, has no such limit.
	MaxRequest = 16 << 20

	maxBatchItems    = 1000
	maxBatchResponse = 25 << 20
)

// Config says what an endpoint serves and where. The zero value serves nothing nowhere.
type Config struct {
	// IPCPath is the path of the unix socket; on Windows the name of the pipe (\\.\pipe\NAME). Empty: none. The socket
	// has mode 0600. A socket that a dead process has left behind is replaced; one that somebody serves, and a file
	// that is no socket, are errors.
	IPCPath string

	// HTTPAddr is the address, HOST:PORT, of HTTP and WebSocket. Empty: neither. The host must be a loopback address
	// or "localhost": any user of the machine can connect to it, and nobody else.
	HTTPAddr string

	// HTTPNamespaces are the namespaces served over HTTP and WebSocket; the socket serves all. Each must be one of APIs.
	HTTPNamespaces []string

	// Hosts are names that a request may have in its Host header besides localhost and loopback addresses. Others are
	// refused, lest a web page reaches the endpoint by a name of its own that resolves to this machine.
	Hosts []string

	// Origins are the origins, such as "http://localhost:8000", whose web pages may use HTTP and WebSocket. No others may.
	Origins []string

	// APIs are the methods, by namespace.
	APIs []rpc.API

	// Logger, if not nil, is where the endpoint logs.
	Logger log.Logger
}

// Endpoint serves JSON-RPC from [Listen] to [Endpoint.Close]. Its methods are safe for concurrent use.
type Endpoint struct {
	// Static after construction.
	log   log.Logger
	ipc   net.Listener // nil: none
	http  *httpServer  // nil: none
	path  string
	calls *rpc.Server // of ipc

	serving sync.WaitGroup // the goroutines of ipc, and of subscriptions through it
	close   sync.Once
}

// Listen starts an endpoint. An error names the part of the configuration it is about; nothing is left running then.
func Listen(c Config) (*Endpoint, error) {
	e := &Endpoint{log: c.Logger, path: c.IPCPath}
	if e.log == nil {
		e.log = log.Root()
	}
	if c.IPCPath != "" {
		if err := e.listenIPC(c); err != nil {
			return nil, fmt.Errorf("RPC socket: %w", err)
		}
		e.log.Info("RPC socket opened", "path", c.IPCPath)
	}
	if c.HTTPAddr != "" {
		h, err := listenHTTP(c)
		if err != nil {
			e.Close()
			return nil, fmt.Errorf("RPC over HTTP: %w", err)
		}
		e.http = h
		e.log.Info("RPC over HTTP and WebSocket opened", "addr", h.addr(), "namespaces", c.HTTPNamespaces)
	}
	return e, nil
}

// IPCPath returns the path of the unix socket; empty if there is none.
func (e *Endpoint) IPCPath() string {
	if e.ipc == nil {
		return ""
	}
	return e.path
}

// HTTPAddr returns the address of HTTP and WebSocket with the port in use; empty if there is none.
func (e *Endpoint) HTTPAddr() string {
	if e.http == nil {
		return ""
	}
	return e.http.addr()
}

// Close ends the endpoint: it closes all connections, waits for the calls under way and removes the socket. It must not be
// called by a method that the endpoint serves.
func (e *Endpoint) Close() {
	e.close.Do(func() {
		if e.http != nil {
			e.http.close()
		}
		if e.ipc != nil {
			e.closeIPC()
		}
	})
}

// Dial connects to the endpoint of a running node: a path is that of a socket, a URL is one of http, https, ws or wss.
// Subscriptions need a socket or WebSocket. The caller closes the client.
func Dial(ctx context.Context, endpoint string) (*rpc.Client, error) {
	if endpoint == "" {
		return nil, errors.New("no RPC endpoint: want the path of a socket or a URL")
	}
	client, err := rpc.DialContext(ctx, endpoint)
	if err != nil {
		return nil, fmt.Errorf("RPC endpoint %s: %w", endpoint, err)
	}
	return client, nil
}

// serverOf returns a server of the given methods. With namespaces, it serves only those. serving counts the goroutines of
// subscriptions; they end with the connections.
func serverOf(apis []rpc.API, namespaces []string, serving *sync.WaitGroup) (*rpc.Server, error) {
	s := rpc.NewServer()
	s.SetBatchLimits(maxBatchItems, maxBatchResponse)
	s.SetHTTPBodyLimit(MaxRequest)
	s.SetWebsocketReadLimit(MaxRequest)
	for _, name := range namespaces {
		if !slices.ContainsFunc(apis, func(a rpc.API) bool { return a.Namespace == name }) {
			return nil, fmt.Errorf("there is no namespace %q", name)
		}
	}
	for _, a := range apis {
		if namespaces != nil && !slices.Contains(namespaces, a.Namespace) {
			continue
		}
		if admin, ok := a.Service.(*Admin); ok {
			a.Service = &Admin{admin.server, serving}
		}
		if err := s.RegisterName(a.Namespace, a.Service); err != nil {
			return nil, fmt.Errorf("namespace %q: %w", a.Namespace, err)
		}
	}
	return s, nil
}

// limitedListener accepts no more than a number of connections at a time.
type limitedListener struct {
	net.Listener
	places chan struct{}
	done   chan struct{} // closed with the listener
	once   sync.Once
}

func limit(l net.Listener, n int) *limitedListener {
	return &limitedListener{Listener: l, places: make(chan struct{}, n), done: make(chan struct{})}
}

func (l *limitedListener) Accept() (net.Conn, error) {
	select {
	case l.places <- struct{}{}:
	case <-l.done:
		return nil, net.ErrClosed
	}
	conn, err := l.Listener.Accept()
	if err != nil {
		<-l.places
		return nil, err
	}
	return &limitedConn{Conn: conn, leave: sync.OnceFunc(func() { <-l.places })}, nil
}

func (l *limitedListener) Close() error {
	l.once.Do(func() { close(l.done) })
	return l.Listener.Close()
}

// limitedConn gives its place back when it is closed.
type limitedConn struct {
	net.Conn
	leave func()
}

func (c *limitedConn) Close() error {
	defer c.leave()
	return c.Conn.Close()
}
