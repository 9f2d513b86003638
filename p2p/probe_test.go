package p2p

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/p2p/enr"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/p2p/rlpx"
)

var nodeB = enode.NewV4(&keyB.PublicKey, net.IPv4(127, 0, 0, 1), 30303, 30303)

// remoteNode is a NodeDialer whose connections lead to a script. It serves one connection.
type remoteNode struct {
	script func(net.Conn)
	done   chan struct{}
}

func newRemoteNode(script func(net.Conn)) *remoteNode {
	return &remoteNode{script: script, done: make(chan struct{})}
}

func (r *remoteNode) Dial(context.Context, *enode.Node) (net.Conn, error) {
	ours, theirs := net.Pipe()
	go func() {
		defer close(r.done)
		defer theirs.Close()
		r.script(theirs)
	}()
	return ours, nil
}

// sent is a message that a script has read.
type sent struct {
	code    uint64
	payload string
}

// greeted does the RLPx handshake as keyB, sends a Hello of version 5 and goes on with the rest, which is handed what the
// remote sends next, until it ends.
func greeted(rest func(c *rlpx.Conn, next func() (sent, error))) func(net.Conn) {
	return func(fd net.Conn) {
		c := rlpx.NewConn(fd, nil)
		if _, err := c.Handshake(keyB); err != nil {
			return
		}
		h := newHello(&keyB.PublicKey, "remote/v1", []Cap{{"aaa", 1}, {"bbb", 2}})
		h.ListenPort = 30303
		h.encode()
		if _, err := exchangeHello(c, h, time.Minute); err != nil {
			return
		}
		rest(c, func() (sent, error) {
			code, data, _, err := c.Read()
			return sent{code, string(data)}, err
		})
	}
}

func probeError(t *testing.T, err error, stage, text string) {
	t.Helper()
	var failed *ProbeError
	if !errors.As(err, &failed) {
		t.Fatalf("error %v is no *ProbeError", err)
	}
	if failed.Stage != stage || !strings.Contains(failed.Error(), text) {
		t.Errorf("stage %q, error %v; want %q and %q", failed.Stage, failed, stage, text)
	}
}

func TestProbeLearnsWhoIsThereAndTakesLeave(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var heard []sent
		remote := newRemoteNode(greeted(func(c *rlpx.Conn, next func() (sent, error)) {
			m, _ := next()
			heard = append(heard, m)
			time.Sleep(20 * time.Millisecond)
			c.Write(16, []byte{0xc0})         // a protocol that starts to speak
			c.Write(pingMsg, frame.EmptyList) // and the remote's own ping
			c.Write(pongMsg, []byte{0x0})     // any payload will do
			m, _ = next()
			heard = append(heard, m)
		}))
		cfg := ProbeConfig{PrivateKey: keyA, Name: "probe", Caps: []Cap{{"aaa", 1}}, Dialer: remote}
		r, err := Probe(t.Context(), cfg, nodeB)
		if err != nil {
			t.Fatal(err)
		}
		<-remote.done
		if r.Name != "remote/v1" || r.Version != 5 || r.ListenPort != 30303 || !slices.Equal(r.Caps, []Cap{{"aaa", 1}, {"bbb", 2}}) {
			t.Errorf("result %+v", r)
		}
		if r.RTT != 20*time.Millisecond || r.Refused != nil || r.LocalAddr == nil || r.RemoteAddr == nil {
			t.Errorf("result %+v", r)
		}
		if want := []sent{{pingMsg, "\xc0"}, {discMsg, "\xc1\x08"}}; !slices.Equal(heard, want) {
			t.Errorf("the remote heard %v, want %v", heard, want)
		}
	})
}

func TestProbeOverTCPWithAKeyOfItsOwn(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 2 {
			fd, err := l.Accept()
			if err != nil {
				return
			}
			greeted(func(c *rlpx.Conn, next func() (sent, error)) {
				next()
				c.Write(pongMsg, frame.EmptyList)
				next()
			})(fd)
			fd.Close()
		}
	}()
	port := l.Addr().(*net.TCPAddr).Port
	for _, node := range []*enode.Node{
		enode.NewV4(&keyB.PublicKey, net.IPv4(127, 0, 0, 1), port, 0),
		enode.NewV4(&keyB.PublicKey, nil, port, 0).WithHostname("localhost"),
	} {
		r, err := Probe(t.Context(), ProbeConfig{}, node)
		if err != nil {
			t.Fatalf("%v: %v", node, err)
		}
		if r.RTT <= 0 || r.HandshakeTime <= 0 || r.RemoteAddr.String() != l.Addr().String() || r.Name != "remote/v1" {
			t.Errorf("%v: result %+v", node, r)
		}
	}
	<-done
}

func TestProbeTellsARefusal(t *testing.T) {
	for name, test := range map[string]struct {
		script func(net.Conn)
		reason DiscReason
		hello  bool // the remote said who it is first
	}{
		"instead of Hello": {func(fd net.Conn) {
			c := rlpx.NewConn(fd, nil)
			c.Handshake(keyB)
			c.Write(discMsg, encodeDisconnect(DiscTooManyPeers))
		}, DiscTooManyPeers, false},
		"after Hello, in answer to the ping": {greeted(func(c *rlpx.Conn, next func() (sent, error)) {
			next()
			c.Write(discMsg, encodeDisconnect(DiscUselessPeer))
		}), DiscUselessPeer, true},
		"after Hello, reading nothing": {greeted(func(c *rlpx.Conn, _ func() (sent, error)) {
			c.Write(discMsg, encodeDisconnect(DiscUselessPeer))
		}), DiscUselessPeer, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				remote := newRemoteNode(test.script)
				r, err := Probe(t.Context(), ProbeConfig{PrivateKey: keyA, Dialer: remote}, nodeB)
				<-remote.done
				if r == nil || r.Refused == nil || *r.Refused != test.reason {
					t.Fatalf("result %+v, error %v", r, err)
				}
				if (r.Version == 5) != test.hello || r.RTT != 0 {
					t.Errorf("result %+v", r)
				}
				if test.hello {
					if err != nil {
						t.Errorf("error %v", err)
					}
					return
				}
				probeError(t, err, "hello", "refused by the remote node: too many peers")
				if !errors.Is(err, test.reason) {
					t.Errorf("%v does not wrap the reason", err)
				}
			})
		})
	}
}

func TestProbeErrorsSayWhereAndWhy(t *testing.T) {
	for name, test := range map[string]struct {
		script func(net.Conn)
		stage  string
		text   string
		takes  time.Duration
	}{
		"another key":    {func(fd net.Conn) { rlpx.NewConn(fd, nil).Handshake(keyA) }, "rlpx", "is the node key in the enode right?", 0},
		"a web server":   {func(fd net.Conn) { fd.Read(make([]byte, 4096)); fd.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n")) }, "rlpx", "", 0},
		"silence":        {func(fd net.Conn) { io.Copy(io.Discard, fd) }, "rlpx", "is it a devp2p port?", 5 * time.Second},
		"half an answer": {func(fd net.Conn) { fd.Read(make([]byte, 4096)); fd.Write([]byte{1, 0x90, 4}) }, "rlpx", "closed the connection", 0},
		"no Hello": {func(fd net.Conn) {
			rlpx.NewConn(fd, nil).Handshake(keyB)
			io.Copy(io.Discard, fd)
		}, "hello", "timeout", 30 * time.Second},
		"closed before Hello": {func(fd net.Conn) { rlpx.NewConn(fd, nil).Handshake(keyB) }, "hello", "EOF", 0},
		"another key in Hello": {func(fd net.Conn) {
			c := rlpx.NewConn(fd, nil)
			c.Handshake(keyB)
			exchangeHello(c, newHello(&keyA.PublicKey, "liar", nil), time.Minute)
			c.Read()
		}, "hello", "another node key", 0},
		"no Pong":            {greeted(func(_ *rlpx.Conn, next func() (sent, error)) { next(); next() }), "ping", "timeout", 15 * time.Second},
		"closed before Pong": {greeted(func(_ *rlpx.Conn, next func() (sent, error)) { next() }), "ping", "EOF", 0},
		"anything but a Pong": {greeted(func(c *rlpx.Conn, next func() (sent, error)) {
			next()
			for {
				if _, err := c.Write(20, nil); err != nil {
					return
				}
			}
		}), "ping", "no answer among 64 messages", 0},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				remote := newRemoteNode(test.script)
				start := time.Now()
				r, err := Probe(t.Context(), ProbeConfig{PrivateKey: keyA, Dialer: remote}, nodeB)
				if took := time.Since(start); took != test.takes {
					t.Errorf("it took %v, want %v", took, test.takes)
				}
				<-remote.done
				probeError(t, err, test.stage, test.text)
				if r == nil || r.Refused != nil || r.RemoteAddr == nil {
					t.Errorf("result %+v", r)
				}
			})
		})
	}
}

// countedFD counts the bytes that are read from a connection.
type countedFD struct {
	net.Conn
	read int
}

func (c *countedFD) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.read += n
	return n, err
}

// countingDialer counts what is read from the connection of another dialer.
type countingDialer struct {
	NodeDialer
	fd *countedFD
}

func (d *countingDialer) Dial(ctx context.Context, node *enode.Node) (net.Conn, error) {
	fd, err := d.NodeDialer.Dial(ctx, node)
	d.fd = &countedFD{Conn: fd}
	return d.fd, err
}

func TestProbeReadsNoMoreThanItHasAUseFor(t *testing.T) {
	huge := make([]byte, 16<<20-64)
	for name, test := range map[string]struct {
		script      func(net.Conn)
		stage, text string
		read        int
	}{
		"a huge first frame": {func(fd net.Conn) {
			c := rlpx.NewConn(fd, nil)
			c.Handshake(keyB)
			c.Write(helloMsg, huge) // fails when the probe has closed the connection
		}, "hello", errSetupReadLimit.Error(), setupReadLimit},
		"a huge frame after Hello": {greeted(func(c *rlpx.Conn, next func() (sent, error)) {
			next()
			c.SetSnappy(false) // zeros would shrink
			c.Write(16, huge)
		}), "ping", "no answer among 262144 bytes", setupReadLimit + probeReadLimit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				remote := newRemoteNode(test.script)
				dialer := &countingDialer{NodeDialer: remote}
				_, err := Probe(t.Context(), ProbeConfig{PrivateKey: keyA, Dialer: dialer}, nodeB)
				<-remote.done
				probeError(t, err, test.stage, test.text)
				if dialer.fd.read > test.read {
					t.Errorf("read %d bytes, at most %d wanted", dialer.fd.read, test.read)
				}
			})
		})
	}
}

type failingDialer struct{ err error }

func (d failingDialer) Dial(ctx context.Context, _ *enode.Node) (net.Conn, error) {
	if d.err == nil {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	return nil, d.err
}

func TestProbeOfANodeThatCannotBeDialed(t *testing.T) {
	var noKey enr.Record
	for name, test := range map[string]struct {
		dialer NodeDialer
		node   *enode.Node
		stage  string
		text   string
	}{
		"no key":  {nil, enode.SignNull(&noKey, enode.ID{1}), "node", "no secp256k1 key"},
		"no port": {nil, enode.NewV4(&keyB.PublicKey, net.IPv4(127, 0, 0, 1), 0, 30303), "node", "no TCP port"},
		"no IP":   {nil, enode.NewV4(&keyB.PublicKey, nil, 30303, 0), "node", "no IP address"},
		"refused": {failingDialer{errors.New("no route")}, nodeB, "dial", "no route"},
	} {
		r, err := Probe(t.Context(), ProbeConfig{Dialer: test.dialer}, test.node)
		if r != nil {
			t.Errorf("%s: result %+v", name, r)
		}
		probeError(t, err, test.stage, test.text)
	}
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		_, err := Probe(t.Context(), ProbeConfig{Dialer: failingDialer{}}, nodeB)
		probeError(t, err, "dial", "deadline exceeded")
		if took := time.Since(start); took != 15*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestProbeEndsWithItsContextAtEveryStage(t *testing.T) {
	for stage, dialer := range map[string]func() NodeDialer{
		"dial": func() NodeDialer { return failingDialer{} },
		"rlpx": func() NodeDialer { return newRemoteNode(func(fd net.Conn) { io.Copy(io.Discard, fd) }) },
		"hello": func() NodeDialer {
			return newRemoteNode(func(fd net.Conn) { rlpx.NewConn(fd, nil).Handshake(keyB); io.Copy(io.Discard, fd) })
		},
		"ping": func() NodeDialer {
			return newRemoteNode(greeted(func(_ *rlpx.Conn, next func() (sent, error)) { next(); next() }))
		},
	} {
		t.Run(stage, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				start := time.Now()
				_, err := Probe(ctx, ProbeConfig{Dialer: dialer()}, nodeB)
				if took := time.Since(start); took != time.Second {
					t.Errorf("it took %v", took)
				}
				probeError(t, err, stage, "")
				if !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) && stage != "dial" {
					t.Errorf("error %v", err)
				}
			})
		})
	}
}

func TestProbeMakesAKeyIfItHasNone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var seen []enode.ID
		for range 2 {
			remote := newRemoteNode(func(fd net.Conn) {
				c := rlpx.NewConn(fd, nil)
				if key, err := c.Handshake(keyB); err == nil {
					seen = append(seen, enode.PubkeyToIDV4(key))
				}
			})
			Probe(t.Context(), ProbeConfig{Dialer: remote}, nodeB)
			<-remote.done
		}
		if len(seen) != 2 || seen[0] == seen[1] {
			t.Errorf("identities %v", seen)
		}
	})
}
