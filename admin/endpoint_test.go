package admin

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/rpc"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Of a server's node database: it ends by itself, a second after the database was closed.
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

// echo is a namespace for the tests: a method that answers, and a subscription that is never served.
type echo struct{}

func (echo) Say(text string) string { return text }

func (echo) Silence(ctx context.Context) (*rpc.Subscription, error) {
	n, ok := rpc.NotifierFromContext(ctx)
	if !ok {
		return nil, rpc.ErrNotificationsUnsupported
	}
	return n.CreateSubscription(), nil
}

var echoAPIs = []rpc.API{{Namespace: "echo", Service: echo{}}, {Namespace: "private", Service: echo{}}}

// socketPath returns the path of a socket; those of t.TempDir can be too long for one.
func socketPath(t *testing.T) string {
	t.Helper()
	if runtime.GOOS == "windows" {
		t.Skip("Windows has named pipes instead of sockets with a mode")
	}
	dir, err := os.MkdirTemp("", "admin")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	return filepath.Join(dir, "sennit.ipc")
}

func listen(t *testing.T, c Config) *Endpoint {
	t.Helper()
	if c.APIs == nil {
		c.APIs = echoAPIs
	}
	c.Logger = log.NewLogger(log.DiscardHandler())
	e, err := Listen(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(e.Close)
	return e
}

func dial(t *testing.T, endpoint string) *rpc.Client {
	t.Helper()
	client, err := Dial(t.Context(), endpoint)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(client.Close)
	return client
}

func TestTheSocketServesAllNamespacesToTheUserAlone(t *testing.T) {
	e := listen(t, Config{IPCPath: socketPath(t)})
	info, err := os.Stat(e.IPCPath())
	if err != nil {
		t.Fatal(err)
	}
	if got := info.Mode(); got != os.ModeSocket|0o600 {
		t.Errorf("the socket's mode is %v", got)
	}
	client := dial(t, e.IPCPath())
	for _, method := range []string{"echo_say", "private_say"} {
		var got string
		if err := client.Call(&got, method, "hello"); err != nil || got != "hello" {
			t.Errorf("%s: %q, %v", method, got, err)
		}
	}
	rest, err := os.ReadDir(filepath.Dir(e.IPCPath()))
	if err != nil || len(rest) != 1 {
		t.Errorf("beside the socket there are %v, %v", rest, err)
	}
}

func TestCloseEndsConnectionsAndRemovesTheSocket(t *testing.T) {
	e := listen(t, Config{IPCPath: socketPath(t), HTTPAddr: "127.0.0.1:0", HTTPNamespaces: []string{"echo"}})
	for _, url := range []string{e.IPCPath(), "ws://" + e.HTTPAddr()} {
		sub, err := dial(t, url).Subscribe(t.Context(), "echo", make(chan string), "silence")
		if err != nil {
			t.Fatal(err)
		}
		defer sub.Unsubscribe()
	}
	e.Close()
	e.Close()
	if _, err := os.Lstat(e.path); !os.IsNotExist(err) {
		t.Errorf("the socket is still there: %v", err)
	}
	if _, err := net.DialTimeout("tcp", e.HTTPAddr(), time.Second); err == nil {
		t.Error("the port is still open")
	}
}

func TestASocketThatADeadProcessLeftIsReplacedAndNothingElseIs(t *testing.T) {
	path := socketPath(t)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	l.Close()
	listen(t, Config{IPCPath: path})
	if _, err := Listen(Config{IPCPath: path, APIs: echoAPIs}); err == nil || !strings.Contains(err.Error(), "served by another process") {
		t.Errorf("a socket in use: %v", err)
	}
	file := path + ".txt"
	if err := os.WriteFile(file, []byte("precious"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := Listen(Config{IPCPath: file, APIs: echoAPIs}); err == nil || !strings.Contains(err.Error(), "no socket") {
		t.Errorf("a file: %v", err)
	}
	if text, err := os.ReadFile(file); err != nil || string(text) != "precious" {
		t.Errorf("the file is %q now, %v", text, err)
	}
}

func TestHTTPAndWebSocketServeTheNamespacesTheyAreToldTo(t *testing.T) {
	e := listen(t, Config{HTTPAddr: "127.0.0.1:0", HTTPNamespaces: []string{"echo"}})
	for _, scheme := range []string{"http://", "ws://"} {
		client := dial(t, scheme+e.HTTPAddr())
		var got string
		if err := client.Call(&got, "echo_say", "hello"); err != nil || got != "hello" {
			t.Errorf("%s: %q, %v", scheme, got, err)
		}
		if err := client.Call(&got, "private_say", "hello"); err == nil || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("%s: the private namespace answers %q, %v", scheme, got, err)
		}
	}
	if e.IPCPath() != "" {
		t.Error("there is a socket")
	}
}

func TestRequestsOfForeignWebPagesAreRefused(t *testing.T) {
	e := listen(t, Config{HTTPAddr: "127.0.0.1:0", HTTPNamespaces: []string{"echo"}, Hosts: []string{"node.test"}, Origins: []string{"http://mine.test"}})
	tests := []struct {
		host, origin string
		want         int
	}{
		{"", "", http.StatusOK},
		{"localhost:1234", "", http.StatusOK},
		{"[::1]:1234", "", http.StatusOK},
		{"127.0.0.1", "", http.StatusOK},
		{"NODE.test", "", http.StatusOK},
		{"", "http://mine.test", http.StatusOK},
		{"evil.test", "", http.StatusForbidden},
		{"evil.test:8545", "", http.StatusForbidden},
		{"localhost.evil.test", "", http.StatusForbidden},
		{"192.0.2.1", "", http.StatusForbidden},
		{"", "http://evil.test", http.StatusForbidden},
		{"", "null", http.StatusForbidden},
	}
	for _, tt := range tests {
		body := strings.NewReader(`{"jsonrpc":"2.0","id":1,"method":"echo_say","params":["hello"]}`)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+e.HTTPAddr(), body)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Content-Type", "application/json")
		req.Host = tt.host
		if tt.origin != "" {
			req.Header.Set("Origin", tt.origin)
		}
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(res.Body)
		res.Body.Close()
		if err != nil || res.StatusCode != tt.want || (tt.want == http.StatusOK) != strings.Contains(string(text), `"result":"hello"`) {
			t.Errorf("host %q, origin %q: %s %s, %v", tt.host, tt.origin, res.Status, text, err)
		}
	}
}

func TestAnEndpointThatMakesNoSenseIsRefused(t *testing.T) {
	tests := []struct {
		c    Config
		want string
	}{
		{Config{HTTPAddr: "0.0.0.0:8545", HTTPNamespaces: []string{"echo"}}, "other machines could connect"},
		{Config{HTTPAddr: ":8545", HTTPNamespaces: []string{"echo"}}, "other machines could connect"},
		{Config{HTTPAddr: "node.test:1", HTTPNamespaces: []string{"echo"}}, "other machines could connect"},
		{Config{HTTPAddr: "8545", HTTPNamespaces: []string{"echo"}}, "HOST:PORT"},
		{Config{HTTPAddr: "127.0.0.1:0"}, "no namespace"},
		{Config{HTTPAddr: "127.0.0.1:0", HTTPNamespaces: []string{"ecco"}}, `no namespace "ecco"`},
		{Config{IPCPath: "x", APIs: []rpc.API{{Namespace: "empty", Service: struct{}{}}}}, `namespace "empty"`},
	}
	for _, tt := range tests {
		if tt.c.APIs == nil {
			tt.c.APIs = echoAPIs
		}
		e, err := Listen(tt.c)
		if err == nil {
			e.Close()
		}
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: %v, want %q", tt.c, err, tt.want)
		}
	}
	if _, err := Dial(t.Context(), ""); err == nil {
		t.Error("dialing nothing succeeds")
	}
	if _, err := Dial(t.Context(), filepath.Join(t.TempDir(), "none.ipc")); err == nil || !strings.Contains(err.Error(), "none.ipc") {
		t.Errorf("dialing a socket that is not there: %v", err)
	}
}

func TestConnectionsBeyondTheLimitWait(t *testing.T) {
	inner, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	l := limit(inner, 1)
	accepted := make(chan net.Conn)
	done := make(chan error)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				done <- err
				return
			}
			accepted <- conn
		}
	}()
	for range 2 {
		c, err := net.Dial("tcp", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
	}
	first := <-accepted
	select {
	case <-accepted:
		t.Error("there are two connections in one place")
	case <-time.After(50 * time.Millisecond):
	}
	first.Close()
	second := <-accepted // has the place now, so that Accept waits for it when the listener is closed
	l.Close()
	if err := <-done; err == nil {
		t.Error("Accept returns nothing")
	}
	second.Close()
}
