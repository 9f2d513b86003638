package rlpx

import (
	"net"
	"sync/atomic"
	"testing"
)

// countedWrites counts the calls of Write.
type countedWrites struct {
	net.Conn
	writes atomic.Int32
}

func (c *countedWrites) Write(p []byte) (int, error) {
	c.writes.Add(1)
	return c.Conn.Write(p)
}

func TestADelayedAckLeavesWithTheFirstFrame(t *testing.T) {
	keyI, keyR := newKey(t), newKey(t)
	dialed, accepted := tcpPair(t)
	counted := &countedWrites{Conn: accepted}
	initiator, recipient := NewConn(dialed, &keyR.PublicKey), NewConn(counted, nil)
	recipient.DelayAck(true)
	initiator.DelayAck(true) // means nothing
	got := make(chan error, 1)
	go func() {
		_, err := initiator.Handshake(keyI)
		got <- err
	}()
	key, err := recipient.Handshake(keyR)
	if err != nil || !key.Equal(&keyI.PublicKey) {
		t.Fatalf("key %v, %v", key, err)
	}
	if n := counted.writes.Load(); n != 0 {
		t.Errorf("%d writes during the handshake", n)
	}
	if reason := panics(func() { recipient.Detach() }); reason != errAckWaits {
		t.Errorf("Detach panicked with %v, want %v", reason, errAckWaits)
	}
	for i, text := range []string{"first", "second"} {
		if _, err := recipient.Write(5, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if n := counted.writes.Load(); n != int32(i+1) {
			t.Errorf("%d writes after %d messages", n, i+1)
		}
	}
	if err := <-got; err != nil {
		t.Fatal(err)
	}
	for _, text := range []string{"first", "second"} {
		if code, data, _, err := initiator.Read(); err != nil || code != 5 || string(data) != text {
			t.Errorf("got %d, %q, %v", code, data, err)
		}
	}
	if recipient.Detach().Conn != counted {
		t.Error("detached another connection")
	}
}

func TestADelayedAckToAPlainAuthIsPlain(t *testing.T) {
	a := newAttacker(t)
	network := says(plainAuth(t, a.auth(t), a.node.public))
	c := NewConn(network, nil)
	c.AcceptLegacy(true)
	c.DelayAck(true)
	if _, err := c.Handshake(a.nodeKey); err != nil {
		t.Fatal(err)
	}
	if _, err := c.Write(0, make([]byte, 10)); err != nil || network.writes != 1 {
		t.Fatalf("%d writes, %v", network.writes, err)
	}
	if _, ok := eciesOpen(network.sent.Next(plainAckSize), &a.key.secret, nil); !ok {
		t.Error("the first bytes are no plain ack")
	}
}
