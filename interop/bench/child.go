package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"sync"

	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/interop/stack"
)

// What the child process has at the other ends.
const (
	childBare  = "bare"  // bare RLPx connections of go-ethereum, whichever stack is measured
	childLanes = "lanes" // nodes of Sennit that offer lanes/1, one for each link
)

// remote is one of the other ends.
type remote interface {
	// send sends a message.
	send(payload []byte) error
}

// runChild is the process at the other ends of a crowd. spec is "COUNT KIND ENODE". It does what the lines of in ask for and
// answers each with the line and " done": dial, send (a large message on each link), received (wait until a large message
// has come on each link).
func runChild(spec string, in io.Reader, out io.Writer) error {
	var (
		n         int
		kind, url string
	)
	if _, err := fmt.Sscan(spec, &n, &kind, &url); err != nil {
		return fmt.Errorf("child %q: %w", spec, err)
	}
	node, err := enode.ParseV4(url)
	if err != nil {
		return err
	}
	c := &children{node: node, big: make(chan struct{}, n)}
	dial, ok := map[string]func() (remote, error){childBare: c.dialBare, childLanes: c.dialLanes}[kind]
	if !ok {
		return fmt.Errorf("child %q: no kind is called %q", spec, kind)
	}
	lines := bufio.NewScanner(in)
	for lines.Scan() {
		switch lines.Text() {
		case "dial":
			err = c.dial(n, dial)
		case "send":
			err = c.send()
		case "received":
			c.received()
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
	remotes []remote
	big     chan struct{} // one for each large message that came
}

// dial brings up n links, one after the other.
func (c *children) dial(n int, one func() (remote, error)) error {
	for range n {
		r, err := one()
		if err != nil {
			return err
		}
		c.remotes = append(c.remotes, r)
	}
	return nil
}

func (c *children) send() error {
	payload := random(bigSize)
	if len(snappy.Encode(nil, payload)) < bigSize {
		return fmt.Errorf("the large message is compressible")
	}
	for _, r := range c.remotes {
		if err := r.send(payload); err != nil {
			return err
		}
	}
	return nil
}

func (c *children) received() {
	for range c.remotes {
		<-c.big
	}
}

// bare is a bare RLPx connection.
type bare struct {
	mu   sync.Mutex // held while writing: pongs and large messages
	conn stack.Conn
}

func (c *children) dialBare() (remote, error) {
	key := stack.NewKey()
	conn, err := stack.DialRaw(stack.Geth{}, c.node, key, setupTime)
	if err != nil {
		return nil, err
	}
	hello := stack.NewHello(key, 5, stack.Cap{Name: "one", Version: 1}, stack.Cap{Name: "two", Version: 1})
	if _, err := stack.ExchangeHello(conn, hello); err != nil {
		return nil, err
	}
	b := &bare{conn: conn}
	go c.read(b)
	return b, nil
}

// read answers pings and reports large messages until the connection ends, which is when the process ends.
func (c *children) read(b *bare) {
	for {
		code, data, _, err := b.conn.Read()
		switch {
		case err != nil:
			return
		case code == stack.PingCode:
			err = b.write(stack.PongCode, []byte{0xc0})
		case code >= stack.BaseCodes && len(data) == bigSize:
			c.big <- struct{}{}
		}
		if err != nil {
			return
		}
	}
}

func (b *bare) send(payload []byte) error { return b.write(stack.BaseCodes, payload) }

func (b *bare) write(code uint64, data []byte) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	_, err := b.conn.Write(code, data)
	return err
}

// whole is protocol "one" of a node that has one link; the node ends with the process.
type whole struct{ rw stack.ReadWriter }

func (c *children) dialLanes() (remote, error) {
	read := func(e *stack.End) error {
		for {
			_, size, err := e.RW.Skip()
			if err != nil {
				return err
			}
			if size == bigSize {
				c.big <- struct{}{}
			}
		}
	}
	h, err := stack.NewHost(stack.Sennit{}, stack.Config{NoListen: true},
		stack.Serving{Protocol: stack.Protocol{Name: "one", Version: 1, Length: 4}, Serve: read},
		stack.Serving{Protocol: stack.Protocol{Name: "two", Version: 1, Length: 4}, Serve: read})
	if err != nil {
		return nil, err
	}
	h.AddPeer(c.node)
	ends, err := h.Ends(2, setupTime)
	if err != nil {
		return nil, err
	}
	for _, e := range ends {
		if e.Proto == "one" {
			return whole{e.RW}, nil
		}
	}
	return nil, fmt.Errorf("a link without protocol \"one\"")
}

func (w whole) send(payload []byte) error {
	return w.rw.Write(0, uint32(len(payload)), bytes.NewReader(payload))
}
