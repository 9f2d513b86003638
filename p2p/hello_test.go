package p2p

import (
	"bytes"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p/rlpx"
)

// eip8Hello is the Hello of EIP-8, with version 55 and three extra items.
const eip8Hello = "f87137916b6e6574682f76302e39312f706c616e39cdc5836574683dc6846d6f726b1682270fb840fda1cff674c90c9a197539fe3dfb53086ace64f83ed7c6eabec741f7f381cc803e52ab2cd55d5569bce4347107a310dfd5f88a010cd2ffd1005ca406f1842877c883666f6f836261720304"

var (
	keyA, _ = crypto.HexToECDSA("49a7b37aa6f6645917e7b807e9d1c00d4fa71f18343b0d4122a4d2df64dd6fee")
	keyB, _ = crypto.HexToECDSA("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestEIP8HelloIsRead(t *testing.T) {
	h, err := decodeHello(unhex(t, eip8Hello))
	if err != nil {
		t.Fatal(err)
	}
	if h.Version != 55 || h.Name != "kneth/v0.91/plan9" || h.ListenPort != 9999 || len(h.Rest) != 3 ||
		!slices.Equal(h.Caps, []Cap{{"eth", 61}, {"mork", 22}}) {
		t.Errorf("read %+v", h)
	}
	if want := enode.PubkeyToIDV4(&keyA.PublicKey); h.nodeID() != want {
		t.Errorf("node %v, want %v", h.nodeID(), want)
	}
	again, err := rlp.EncodeToBytes(h)
	if err != nil || hex.EncodeToString(again) != eip8Hello {
		t.Errorf("written again: %x, %v", again, err)
	}
}

// payloadOf encodes items as a Hello's list.
func payloadOf(t testing.TB, items ...any) []byte {
	t.Helper()
	b, err := rlp.EncodeToBytes(items)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestBadHellosAreRefused(t *testing.T) {
	key := crypto.FromECDSAPub(&keyA.PublicKey)[1:]
	offCurve := slices.Clone(key)
	offCurve[63] ^= 1
	aboveP := bytes.Repeat([]byte{0xff}, 64)
	caps := []Cap{{"eth", 69}}
	good := payloadOf(t, uint(5), "x", caps, uint(0), key)
	if _, err := decodeHello(good); err != nil {
		t.Fatal(err)
	}
	if _, err := decodeHello(append(slices.Clone(good), 1, 2, 3)); err != nil {
		t.Errorf("bytes after the list: %v", err)
	}
	if _, err := decodeHello(payloadOf(t, uint(5), "", []Cap{}, uint(0), key)); err != nil {
		t.Errorf("no name and no capabilities: %v", err)
	}
	for name, test := range map[string]struct {
		payload []byte
		want    string
	}{
		"empty":             {nil, "does not decode"},
		"not a list":        {[]byte{0x83, 1, 2, 3}, "does not decode"},
		"empty list":        {[]byte{0xc0}, "does not decode"},
		"no key":            {payloadOf(t, uint(5), "x", caps, uint(0)), "does not decode"},
		"cut off":           {good[:len(good)-1], "does not decode"},
		"key of 63 bytes":   {payloadOf(t, uint(5), "x", caps, uint(0), key[:63]), "not 64 bytes long"},
		"key of 65 bytes":   {payloadOf(t, uint(5), "x", caps, uint(0), append([]byte{4}, key...)), "not 64 bytes long"},
		"key of zeros":      {payloadOf(t, uint(5), "x", caps, uint(0), make([]byte, 64)), "not a point on the curve"},
		"key off the curve": {payloadOf(t, uint(5), "x", caps, uint(0), offCurve), "not a point on the curve"},
		"key above P":       {payloadOf(t, uint(5), "x", caps, uint(0), aboveP), "not a point on the curve"},
		"too long":          {payloadOf(t, uint(5), strings.Repeat("x", 2048), caps, uint(0), key), "longer than 2048"},
	} {
		if _, err := decodeHello(test.payload); !errors.Is(err, errBadHello) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: error %v does not say %q", name, err, test.want)
		}
	}
}

// pair returns the two ends of a connection after the RLPx handshake. Writes on it wait for reads.
func pair(t *testing.T) (dialer, listener *rlpx.Conn) {
	t.Helper()
	c1, c2 := net.Pipe()
	t.Cleanup(func() { c1.Close(); c2.Close() })
	dialer, listener = rlpx.NewConn(c1, &keyB.PublicKey), rlpx.NewConn(c2, nil)
	done := make(chan error, 1)
	go func() { _, err := listener.Handshake(keyB); done <- err }()
	if _, err := dialer.Handshake(keyA); err != nil {
		t.Fatal(err)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	return dialer, listener
}

func testHello(key *ecdsa.PrivateKey, version uint64) *hello {
	h := newHello(&key.PublicKey, "test", []Cap{{"aaa", 1}})
	h.Version = version
	h.encode()
	return h
}

func TestHellosAreExchanged(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialer, listener := pair(t)
		type result struct {
			h   *hello
			err error
		}
		there := make(chan result, 1)
		go func() {
			h, err := exchangeHello(listener, testHello(keyB, 5), 30*time.Second)
			there <- result{h, err}
		}()
		h, err := exchangeHello(dialer, testHello(keyA, 5), 30*time.Second)
		for _, got := range []struct {
			result
			key *ecdsa.PrivateKey
		}{{result{h, err}, keyB}, {<-there, keyA}} {
			if got.err != nil {
				t.Fatal(got.err)
			}
			if got.h.Version != 5 || got.h.Name != "test" || !slices.Equal(got.h.Caps, []Cap{{"aaa", 1}}) ||
				got.h.nodeID() != enode.PubkeyToIDV4(&got.key.PublicKey) {
				t.Errorf("read %+v", got.h)
			}
		}
		time.Sleep(time.Hour) // no deadline is left over
		go listener.Read()
		if _, err := dialer.Write(16, nil); err != nil {
			t.Error(err)
		}
	})
}

func TestCompressionFollowsTheRemoteVersion(t *testing.T) {
	for _, version := range []uint64{0, 3, 4, 5, 6, 55} {
		synctest.Test(t, func(t *testing.T) {
			dialer, listener := pair(t)
			raw := make(chan []byte, 1)
			go func() { // the remote never compresses or decompresses, and so shows what is on the wire
				listener.Read()
				payload, _ := rlp.EncodeToBytes(testHello(keyB, version))
				listener.Write(helloMsg, payload)
				_, data, _, _ := listener.Read()
				raw <- slices.Clone(data)
			}()
			if _, err := exchangeHello(dialer, testHello(keyA, 5), 30*time.Second); err != nil {
				t.Fatal(err)
			}
			if _, err := dialer.Write(pingMsg, []byte{0xc0}); err != nil {
				t.Fatal(err)
			}
			want := []byte{0xc0}
			if version >= 5 {
				want = []byte{1, 0, 0xc0}
			}
			if got := <-raw; !bytes.Equal(got, want) {
				t.Errorf("version %d: %x on the wire, want %x", version, got, want)
			}
		})
	}
}

func TestFirstMessageThatIsNoHelloEndsTheExchange(t *testing.T) {
	key := crypto.FromECDSAPub(&keyA.PublicKey)[1:]
	for name, test := range map[string]struct {
		code    uint64
		payload []byte
		reason  DiscReason // for Disconnect
		want    string
	}{
		"Disconnect":            {1, []byte{0xc1, 4}, DiscTooManyPeers, "too many peers"},
		"Disconnect, bare":      {1, []byte{0x05}, DiscAlreadyConnected, "already connected"},
		"Disconnect, no reason": {1, nil, DiscInvalid, "invalid disconnect reason"},
		"Ping":                  {2, []byte{0xc0}, 0, "code 0x2 instead of Hello"},
		"protocol message":      {0x21, []byte{0xc0}, 0, "code 0x21 instead of Hello"},
		"garbage":               {0, []byte{1, 2, 3}, 0, "does not decode"},
		"oversize":              {0, payloadOf(t, uint(5), strings.Repeat("x", 4000), []Cap{}, uint(0), key), 0, "longer than 2048"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				dialer, listener := pair(t)
				start := time.Now()
				go listener.Write(test.code, test.payload) // and it does not read: our Hello is stuck
				_, err := exchangeHello(dialer, testHello(keyA, 5), 30*time.Second)
				if err == nil || !strings.Contains(err.Error(), test.want) {
					t.Fatalf("error %v does not say %q", err, test.want)
				}
				var reason DiscReason
				if is := errors.As(err, &reason); is != (test.code == 1) || is && reason != test.reason {
					t.Errorf("%v: reason %v, %v", err, is, reason)
				}
				if _, bare := err.(DiscReason); bare {
					t.Error("the error is a bare DiscReason and would be sent back")
				}
				if took := time.Since(start); took != 0 {
					t.Errorf("it took %v", took)
				}
			})
		})
	}
}

func TestSilentRemoteIsGivenUpAfterTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialer, listener := pair(t)
		go listener.Read()
		start := time.Now()
		_, err := exchangeHello(dialer, testHello(keyA, 5), 30*time.Second)
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func TestRemoteThatClosesDuringTheExchangeIsNamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialer, listener := pair(t)
		listener.Close()
		_, err := exchangeHello(dialer, testHello(keyA, 5), 30*time.Second)
		if !errors.Is(err, io.EOF) || !strings.Contains(err.Error(), "reading the remote's Hello") {
			t.Errorf("error %v", err)
		}
	})
}

func TestRemoteThatReadsNothingIsGivenUpAfterTheTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dialer, listener := pair(t)
		go listener.Write(helloMsg, payloadOf(t, uint(5), "x", []Cap{}, uint(0), crypto.FromECDSAPub(&keyB.PublicKey)[1:]))
		start := time.Now()
		_, err := exchangeHello(dialer, testHello(keyA, 5), 30*time.Second)
		if !errors.Is(err, os.ErrDeadlineExceeded) || !strings.Contains(err.Error(), "writing our message 0x0") {
			t.Errorf("error %v", err)
		}
		if took := time.Since(start); took != 30*time.Second {
			t.Errorf("it took %v", took)
		}
	})
}

func FuzzDecodeHello(f *testing.F) {
	key := crypto.FromECDSAPub(&keyA.PublicKey)[1:]
	f.Add(unhex(f, eip8Hello))
	f.Add(payloadOf(f, uint(5), "Geth/v1.17.10", []Cap{{"eth", 69}, {"snap", 1}}, uint(0), key))
	f.Add(payloadOf(f, uint(5), "", []Cap{}, uint(0), make([]byte, 64)))
	f.Add(payloadOf(f, uint(5), "\x1b[2J\x00\xff", []Cap{{"", 0}}, uint(1<<32), key, []string{"extra"}))
	f.Add([]byte{0xf9, 0xff, 0xff})
	f.Add([]byte{})
	f.Fuzz(func(t *testing.T, payload []byte) {
		h, err := decodeHello(payload)
		if err != nil {
			if !errors.Is(err, errBadHello) {
				t.Errorf("%x: error %v is of no known kind", payload, err)
			}
			return
		}
		if len(payload) > maxHelloSize {
			t.Errorf("%d bytes were accepted", len(payload))
		}
		if _, err := crypto.UnmarshalPubkey(append([]byte{4}, h.ID...)); err != nil {
			t.Errorf("key %x was accepted", h.ID)
		}
		again, err := rlp.EncodeToBytes(h)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.HasPrefix(payload, again) {
			t.Errorf("%x is written again as %x", payload, again)
		}
	})
}
