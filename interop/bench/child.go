package main

import (
	"bufio"
	"fmt"
	"io"
	"sync"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/interop/stack"
)

// remote is a bare RLPx connection of the child process.
type remote struct {
	mu   sync.Mutex // held while writing
	conn stack.Conn
}

// runChild is the process at the other ends of a crowd: bare RLPx connections of go-ethereum, whichever stack is measured.
// spec is "COUNT ENODE". It does what the lines of in ask for and answers each with the line and " done":
// dial, send (a large message on each link), received (wait until a large message has come on each link).
func runChild(spec string, in io.Reader, out io.Writer) error {
	var (
		n   int
		url string
	)
	if _, err := fmt.Sscan(spec, &n, &url); err != nil {
		return fmt.Errorf("child %q: %w", spec, err)
	}
	node, err := enode.ParseV4(url)
	if err != nil {
		return err
	}
	c := &children{node: node, big: make(chan struct{}, n), failed: make(chan error, 1)}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		switch lines.Text() {
		case "dial":
			err = c.dial(n)
		case "send":
			err = c.send()
		case "received":
			err = c.received()
		}
		if err != nil {
			return err
		}
		fmt.Fprintln(out, lines.Text(), "done")
	}
	return lines.Err()
}

type children struct {
	node    *enode.Node
	remotes []*remote
	big     chan struct{} // one for each large message that came
	failed  chan error
}

// dial brings up n links, one after the other.
func (c *children) dial(n int) error {
	for range n {
		key := stack.NewKey()
		conn, err := stack.DialRaw(stack.Geth{}, c.node, key, setupTime)
		if err != nil {
			return err
		}
		hello := stack.NewHello(key, 5, stack.Cap{Name: "one", Version: 1}, stack.Cap{Name: "two", Version: 1})
		if _, err := stack.ExchangeHello(conn, hello); err != nil {
			return err
		}
		r := &remote{conn: conn}
		c.remotes = append(c.remotes, r)
		go c.read(r)
	}
	return nil
}

// read answers pings and reports large messages until the connection ends, which is when the process ends.
func (c *children) read(r *remote) {
	for {
		code, data, _, err := r.conn.Read()
		switch {
		case err != nil:
			return
		case code == stack.PingCode:
			err = r.write(stack.PongCode, []byte{0xc0})
		case code >= stack.BaseCodes && len(data) == bigSize:
			c.big <- struct{}{}
		}
		if err != nil {
			return
		}
	}
}

func (r *remote) write(code uint64, data []byte) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	_, err := r.conn.Write(code, data)
	return err
}

func (c *children) send() error {
	payload := random(bigSize)
	if len(snappy.Encode(nil, payload)) < bigSize {
		return fmt.Errorf("the large message is compressible")
	}
	for _, r := range c.remotes {
		if err := r.write(stack.BaseCodes, payload); err != nil {
			return err
		}
	}
	return nil
}

func (c *children) received() error {
	for range c.remotes {
		<-c.big
	}
	return nil
}
