package interop

import (
	"bytes"
	"encoding/hex"
	"errors"
	"net"
	"testing"

	"github.com/sennit-net/sennit/interop/stack"
)

// rawVersions are the devp2p versions that differ on the wire: 4 has no Snappy (EIP-706).
var rawVersions = map[string]uint64{"version 4": 4, "version 5": 5, "version 6": 6}

// eachVersion runs a test for every node stack, every transport of the raw client, and every version of its Hello.
func eachVersion(t *testing.T, f func(t *testing.T, node, raw stack.Stack, version uint64)) {
	eachPairing(t, func(t *testing.T, p pairing) {
		for name, version := range rawVersions {
			t.Run(name, func(t *testing.T) { f(t, p.listener, p.dialer, version) })
		}
	})
}

// beta echoes; its codes start at 16 if it is alone.
var betaCap = stack.Cap{Name: "beta", Version: 1}

// TestRawClientOfEachVersionDialsANode with a bare RLPx connection of either implementation.
func TestRawClientOfEachVersionDialsANode(t *testing.T) {
	eachVersion(t, func(t *testing.T, node, raw stack.Stack, version uint64) {
		h := target(t, node, stack.Config{})
		c := dialClient(t, raw, h, stack.NewKey())
		caps := 3
		if _, ours := node.(stack.Sennit); ours {
			caps++ // lanes/1, which none of these clients takes up
		}
		if theirs := c.hello(t, version, betaCap); theirs.Version != 5 || len(theirs.Caps) != caps {
			t.Errorf("the node's Hello: version %d, caps %v", theirs.Version, theirs.Caps)
		}
		talkRaw(t, h, c, version)
	})
}

// TestNodeDialsARawListenerOfEachVersion is the same with the node dialing.
func TestNodeDialsARawListenerOfEachVersion(t *testing.T) {
	eachVersion(t, func(t *testing.T, node, raw stack.Stack, version uint64) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer ln.Close()
		key := stack.NewKey()
		h := target(t, node, stack.Config{NoListen: true})
		h.AddPeer(enodeAt(key, ln.Addr()))
		fd, err := ln.Accept()
		if err != nil {
			t.Fatal(err)
		}
		tp := &tap{Conn: fd}
		c := &client{Conn: raw.NewConn(tp, nil), tap: tp, key: key}
		defer c.Close()
		if err := shake(c.Conn, key); err != nil {
			t.Fatal(err)
		}
		c.hello(t, version, betaCap)
		talkRaw(t, h, c, version)
	})
}

// talkRaw has messages of all sizes echoed, then looks at the form of Disconnect.
func talkRaw(t *testing.T, h *stack.Host, c *client, version uint64) {
	t.Helper()
	ends, err := h.Ends(1, patience)
	if err != nil {
		t.Fatal(err)
	}
	largest := random(maxFrame-1, 5) // code 16 takes one byte
	if version >= 5 {
		largest = text(maxPayload)
	}
	for _, payload := range [][]byte{nil, {0}, random(15, 1), random(16, 1), random(17, 1), text(1 << 10), random(64<<10, 1), random(1<<20, 1), largest} {
		sent := make(chan error, 1)
		go func() {
			_, err := c.Write(stack.BaseCodes+2, payload)
			sent <- err
		}()
		code, got, err := c.next()
		if err != nil || code != stack.BaseCodes+2 || !bytes.Equal(got, payload) {
			t.Fatalf("echo of %d bytes: code %d, %d bytes, error %v", len(payload), code, len(got), err)
		}
		await(t, 1, sent)
	}
	ends[0].Return <- errors.New("enough")
	if got := hex.EncodeToString(c.end(t)); got != "c110" {
		t.Errorf("Disconnect %q, not c110", got)
	}
	if e := awaitEvent(t, h, "drop"); e.Error != "enough" {
		t.Errorf("the drop event says %q", e.Error)
	}
}
