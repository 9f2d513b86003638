package interop

import (
	"bytes"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"regexp"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"

	"github.com/sennit-net/sennit/interop/stack"
)

// wireCase is a way in which a link to a raw client ends: what the client sees of it, and the node's drop event.
type wireCase struct {
	name string
	do   func(*testing.T, *stack.Host, *client, map[string]*stack.End)
	sent string // payload of the Disconnect that the client gets, in hex; "" for none
	text string // regular expression for the text of the drop event
}

// send writes a message and fails the test if that fails.
func send(t *testing.T, c *client, code uint64, data ...byte) {
	t.Helper()
	if _, err := c.Write(code, data); err != nil {
		t.Fatal(err)
	}
}

func localEnds() []wireCase {
	run := func(err func(stack.Stack) error) func(*testing.T, *stack.Host, *client, map[string]*stack.End) {
		return func(_ *testing.T, h *stack.Host, _ *client, ends map[string]*stack.End) {
			ends["beta"].Return <- err(h.Stack)
		}
	}
	disconnect := func(r uint8) func(*testing.T, *stack.Host, *client, map[string]*stack.End) {
		return func(_ *testing.T, _ *stack.Host, _ *client, ends map[string]*stack.End) {
			ends["gamma"].Peer.Disconnect(r)
		}
	}
	return []wireCase{
		{"Run returns nil", run(plain(nil)), "c108", "protocol returned"},
		{"Run returns an error", run(plain(errors.New("a knot"))), "c110", "a knot"},
		{"Run returns a reason", run(func(s stack.Stack) error { return s.Reason(77) }), "c14d", "unknown disconnect reason 77"},
		{"Run returns a wrapped reason", run(func(s stack.Stack) error { return fmt.Errorf("so: %w", s.Reason(3)) }), "c110", "so: useless peer"},
		{"Decode fails", func(t *testing.T, _ *stack.Host, c *client, _ map[string]*stack.End) {
			send(t, c, 16, 0xc2, 0xc0, 0xc0)
		},
			"c102", `invalid message: \(code 0\) \(size 3\) rlp: .*`},
		{"Disconnect(0)", disconnect(0), "c180", "disconnect requested"},
		{"Disconnect(1)", disconnect(1), "", "network error"},
		{"Disconnect(4)", disconnect(4), "c104", "too many peers"},
		{"Disconnect(255)", disconnect(255), "c281ff", "invalid disconnect reason"},
		{"Server.Stop", func(_ *testing.T, h *stack.Host, _ *client, _ map[string]*stack.End) { h.Stop() }, "c108", "client quitting"},
	}
}

func remoteEnds() []wireCase {
	disc := func(payload string) func(*testing.T, *stack.Host, *client, map[string]*stack.End) {
		data, err := hex.DecodeString(payload)
		if err != nil {
			panic(err)
		}
		return func(t *testing.T, _ *stack.Host, c *client, _ map[string]*stack.End) {
			send(t, c, stack.DiscCode, data...)
		}
	}
	out := []wireCase{
		{"the remote sends Disconnect c101", disc("c101"), "", "network error"},
		{"the remote sends a code of no protocol", func(t *testing.T, _ *stack.Host, c *client, _ map[string]*stack.End) { send(t, c, 60, 0xc0) }, "", ".*code.*"},
		{"the remote sends a wrong MAC", func(t *testing.T, _ *stack.Host, c *client, _ map[string]*stack.End) {
			c.tap.spoil.Store(true)
			send(t, c, 17, 0xc0)
		}, "", "(?i).*mac.*"},
		{"the remote sends bad Snappy data", func(t *testing.T, _ *stack.Host, c *client, _ map[string]*stack.End) {
			c.SetSnappy(false)
			send(t, c, 17, 0x05, 0xff, 0xff, 0xff)
		}, "", "(?i).*snappy.*"},
		{"the remote claims 16 MiB of Snappy data", func(t *testing.T, _ *stack.Host, c *client, _ map[string]*stack.End) {
			c.SetSnappy(false)
			send(t, c, 17, 0x80, 0x80, 0x80, 0x08, 0x00)
		}, "", "(?i).*(too large|too big|>= 16MB|snappy).*"},
		{"the remote closes the connection", func(_ *testing.T, _ *stack.Host, c *client, _ map[string]*stack.End) { c.tap.Close() }, "", broken},
	}
	for payload, reason := range map[string]uint8{"c104": 4, "04": 4, "c180": 0, "80": 0, "c110": 16, "c14d": 77} {
		echo := fmt.Sprintf("c1%02x", reason)
		if reason == 0 {
			echo = "c180"
		}
		out = append(out, wireCase{"the remote sends Disconnect " + payload, disc(payload), echo, reasonTexts[reason]})
	}
	return out
}

// TestWhatALinksEndPutsOnTheWire brings links with a raw client to their end and looks at the bytes of Disconnect and at the
// drop event.
func TestWhatALinksEndPutsOnTheWire(t *testing.T) {
	eachStack(t, func(t *testing.T, s stack.Stack) {
		for _, w := range append(localEnds(), remoteEnds()...) {
			t.Run(w.name, func(t *testing.T) {
				t.Parallel()
				h := target(t, s, stack.Config{})
				c, ends := linked(t, h)
				w.do(t, h, c, ends)
				if got := hex.EncodeToString(c.end(t)); got != w.sent {
					t.Errorf("Disconnect on the wire: %q, not %q", got, w.sent)
				}
				e := awaitEvent(t, h, "drop")
				if !regexp.MustCompile("^(?:" + w.text + ")$").MatchString(e.Error) {
					t.Errorf("the drop event says %q, not %q", e.Error, w.text)
				}
			})
		}
	})
}

// TestRefusalsBeforeHello: the node says Disconnect instead of Hello, uncompressed, and tells nobody.
func TestRefusalsBeforeHello(t *testing.T) {
	eachStack(t, func(t *testing.T, s stack.Stack) {
		for _, c := range []struct {
			name string
			max  int
			key  func(h *stack.Host, first *client) *client
			want string
		}{
			{"too many peers", 1, func(h *stack.Host, _ *client) *client { return dialClient(t, stack.Geth{}, h, stack.NewKey()) }, "c104"},
			{"already connected", 9, func(h *stack.Host, first *client) *client { return dialClient(t, stack.Geth{}, h, first.key) }, "c105"},
			{"connected to self", 9, func(h *stack.Host, _ *client) *client { return dialClient(t, stack.Geth{}, h, h.Key) }, "c10a"},
		} {
			t.Run(c.name, func(t *testing.T) {
				// Of MaxPeers 2, one slot is for dialing (DialRatio 3 at least one), so one inbound peer fills the rest.
				h := target(t, s, stack.Config{MaxPeers: c.max + 1})
				first, _ := linked(t, h)
				awaitEvent(t, h, "add")
				second := c.key(h, first)
				_, err := stack.ExchangeHello(second.Conn, stack.NewHello(second.key, 5, alphaCap))
				var early *stack.EarlyEnd
				if !errors.As(err, &early) || early.Code != stack.DiscCode || hex.EncodeToString(early.Data) != c.want {
					t.Errorf("the node answers with %v, not with Disconnect %s", err, c.want)
				}
				quiet(t, h)
			})
		}
	})
}

// TestRefusalsAfterHello: no shared protocol, another identity than in the handshake, and first messages that are no Hello.
func TestRefusalsAfterHello(t *testing.T) {
	other := crypto.FromECDSAPub(&stack.NewKey().PublicKey)[1:]
	eachStack(t, func(t *testing.T, s stack.Stack) {
		for _, c := range []struct {
			name   string
			change func(*stack.Hello)
			want   string // Disconnect after Hello, "" for none
		}{
			{"useless peer", func(h *stack.Hello) { h.Caps[0].Version = 99 }, "c103"},
			{"no capabilities", func(h *stack.Hello) { h.Caps = nil }, "c103"},
			{"unexpected identity", func(h *stack.Hello) { h.ID = other }, "c109"},
			{"key of zeros", func(h *stack.Hello) { h.ID = make([]byte, 64) }, ""},
			{"short key", func(h *stack.Hello) { h.ID = h.ID[:63] }, ""},
			{"Hello of more than 2 KiB", func(h *stack.Hello) { h.Name = string(text(2100)) }, ""},
		} {
			t.Run(c.name, func(t *testing.T) {
				h := target(t, s, stack.Config{})
				client := dialClient(t, stack.Geth{}, h, stack.NewKey())
				hello := stack.NewHello(client.key, 5, alphaCap)
				c.change(&hello)
				// A node that ends the connection over a bad Hello may do so before its own is out.
				if _, err := stack.ExchangeHello(client.Conn, hello); err != nil && (c.want != "" || !errors.Is(err, io.EOF)) {
					t.Fatal(err)
				}
				if got := hex.EncodeToString(client.end(t)); got != c.want {
					t.Errorf("Disconnect on the wire: %q, not %q", got, c.want)
				}
				quiet(t, h)
			})
		}
	})
}

// TestAFirstMessageThatIsNoHelloEndsTheConnection without a Disconnect from the node.
func TestAFirstMessageThatIsNoHelloEndsTheConnection(t *testing.T) {
	eachStack(t, func(t *testing.T, s stack.Stack) {
		for name, first := range map[string]struct {
			code uint64
			data []byte
		}{
			"ping": {stack.PingCode, []byte{0xc0}}, "protocol message": {17, []byte{0xc0}}, "nonsense": {stack.HelloCode, []byte{0xc1, 0xc0}},
			"Disconnect": {stack.DiscCode, []byte{0xc1, 0x04}},
		} {
			t.Run(name, func(t *testing.T) {
				h := target(t, s, stack.Config{})
				c := dialClient(t, stack.Geth{}, h, stack.NewKey())
				send(t, c, first.code, first.data...)
				if got := c.end(t); got != nil {
					t.Errorf("the node sends Disconnect %x", got)
				}
				quiet(t, h)
			})
		}
	})
}

// TestBaseMessagesOnALink: pings are answered whatever they carry, a second Hello, pongs and reserved codes are passed over,
// and the link still works.
func TestBaseMessagesOnALink(t *testing.T) {
	eachStack(t, func(t *testing.T, s stack.Stack) {
		h := target(t, s, stack.Config{})
		c, _ := linked(t, h)
		send(t, c, stack.HelloCode, 0xc0)
		send(t, c, stack.PongCode, 0xc0)
		for code := uint64(4); code < stack.BaseCodes; code++ {
			send(t, c, code, 0xc0)
		}
		for _, payload := range [][]byte{{0xc0}, {}, {0xff, 0xff}} {
			send(t, c, stack.PingCode, payload...)
			if code, data, err := c.next(); err != nil || code != stack.PongCode || !bytes.Equal(data, []byte{0xc0}) {
				t.Fatalf("a ping of %x is answered with code %d, %x, error %v", payload, code, data, err)
			}
		}
		send(t, c, 25, 0xc1, 0x01)
		if code, data, err := c.next(); err != nil || code != 25 || !bytes.Equal(data, []byte{0xc1, 0x01}) {
			t.Errorf("the echo is code %d, %x, error %v", code, data, err)
		}
	})
}
