package rlpx

import (
	"bytes"
	"encoding/hex"
	"io"
	"testing"

	"github.com/golang/snappy"

	"github.com/sennit-net/sennit/internal/frame"
)

// checkRefusal fails unless err is what a remote may cause: the one error, or the end of its bytes.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	if err != nil && err != ErrHandshake && err != io.EOF && err != io.ErrUnexpectedEOF {
		t.Fatalf("error %v", err)
	}
}

// FuzzAuth lets a recipient receive arbitrary bytes: as the packet, and as the text that a packet encrypts.
func FuzzAuth(f *testing.F) {
	v := vectors(f)
	node := newTestIdentity(f, toKey(f, v["static-key-b"]))
	for _, name := range []string{"auth1", "auth2", "auth3"} {
		f.Add(v[name], name == "auth1")
	}
	text, _ := openPacket(v["auth3"], &node.secret)
	f.Add(text, false)
	plain, _ := eciesOpen(v["auth1"], &node.secret, nil)
	f.Add(plain, true)
	f.Add([]byte{}, true)
	f.Add([]byte{0xc0}, false)
	f.Add([]byte{0xf8, 0xff}, false)
	a := &attacker{node: node}
	f.Fuzz(func(t *testing.T, data []byte, plain bool) {
		packets := [][]byte{data}
		if len(data)+eciesOverhead <= maxPacketSize {
			packets = append(packets, a.encrypt(t, data))
		}
		for _, packet := range packets {
			c := NewConn(says(packet), nil)
			c.AcceptLegacy(plain)
			auth, err := c.readAuth(node)
			checkRefusal(t, err)
			if err == nil && !bytes.HasPrefix(packet, auth.packet) {
				t.Fatalf("packet %x became %x", packet, auth.packet)
			}
		}
		if plain && len(data) == plainAuthBody {
			packet := make([]byte, plainAuthSize)
			copy(packet[textOffset:], data)
			eciesSeal(packet, newTestPair(t), node.public, nil)
			c := NewConn(says(packet), nil)
			c.AcceptLegacy(true)
			_, err := c.readAuth(node)
			checkRefusal(t, err)
		}
	})
}

// FuzzAck lets an initiator receive arbitrary bytes likewise.
func FuzzAck(f *testing.F) {
	v := vectors(f)
	key := toKey(f, v["static-key-a"])
	node := newTestIdentity(f, key)
	remote := toKey(f, v["static-key-b"])
	for _, name := range []string{"ack1", "ack2", "ack3"} {
		f.Add(v[name])
	}
	text, _ := openPacket(v["ack3"], &node.secret)
	f.Add(text)
	f.Add([]byte{})
	f.Add([]byte{0xc0})
	a := &attacker{node: node}
	f.Fuzz(func(t *testing.T, data []byte) {
		packets := [][]byte{data}
		if len(data)+eciesOverhead <= maxPacketSize {
			packets = append(packets, a.encrypt(t, data))
		}
		for _, packet := range packets {
			_, err := NewConn(says(packet), &remote.PublicKey).Handshake(key)
			checkRefusal(t, err)
		}
	})
}

// FuzzRead reads arbitrary bytes, first as they are, then as the data of a frame with good MACs, with and without Snappy.
func FuzzRead(f *testing.F) {
	v := vectors(f)
	f.Add(v["a-to-b-1"])
	f.Add(append(bytes.Clone(v["a-to-b-1"]), v["a-to-b-2"]...))
	f.Add([]byte{})
	f.Add([]byte{0x80})
	f.Add(append([]byte{0x81, 0x80}, snappy.Encode(nil, []byte("payload"))...))
	bomb, _ := hex.DecodeString("01ffffffff0f00")
	f.Add(bomb)
	f.Fuzz(func(t *testing.T, data []byte) {
		if c := newReader(t, says(data)); !readAll(t, c) && !bytes.HasPrefix(data, v["a-to-b-1"]) {
			t.Fatal("a forged frame was read")
		}
		if len(data) == 0 || len(data) > frame.MaxSize {
			return
		}
		for _, compressed := range []bool{false, true} {
			sealer := remoteSealer(t)
			c := newReader(t, says(seal(sealer, data)))
			c.SetSnappy(compressed)
			code, payload, wireSize, err := c.Read()
			if err != nil {
				continue
			}
			if compressed {
				plain, err := snappy.Decode(nil, data[len(data)-wireSize:])
				if err != nil || !bytes.Equal(plain, payload) {
					t.Fatalf("%x became %x", data, payload)
				}
				continue
			}
			if again := append(frame.AppendCode(nil, code), payload...); !bytes.Equal(again, data) {
				t.Fatalf("%x became code %d, payload %x", data, code, payload)
			}
		}
	})
}

// readAll reads to the end and returns whether there was no message at all.
func readAll(t *testing.T, c *Conn) (nothing bool) {
	t.Helper()
	for n := 0; ; n++ {
		if _, _, _, err := c.Read(); err != nil {
			return n == 0
		}
	}
}
