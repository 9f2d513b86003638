package p2p

import (
	"crypto/ecdsa"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/crypto/ecies"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/internal/race"
)

// authFields are what an initiator has to say (rlpx.md, "Initial Handshake").
type authFields struct {
	Signature [65]byte
	Static    [64]byte
	Nonce     [32]byte
	Version   uint
}

func newAuthFields(t *testing.T, key *ecdsa.PrivateKey, to *ecdsa.PublicKey) *authFields {
	t.Helper()
	a := &authFields{Version: 4}
	rand.Read(a.Nonce[:])
	copy(a.Static[:], crypto.FromECDSAPub(&key.PublicKey)[1:])
	token, err := ecies.ImportECDSA(key).GenerateShared(ecies.ImportECDSAPublic(to), 16, 16)
	if err != nil {
		t.Fatal(err)
	}
	for i := range token {
		token[i] ^= a.Nonce[i]
	}
	signature, err := crypto.Sign(token, newKey(t)) // by the ephemeral key
	if err != nil {
		t.Fatal(err)
	}
	copy(a.Signature[:], signature)
	return a
}

func encryptTo(t *testing.T, to *ecdsa.PublicKey, text, info []byte) []byte {
	t.Helper()
	data, err := ecies.Encrypt(rand.Reader, ecies.ImportECDSAPublic(to), text, nil, info)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// plainAuth is the packet from before EIP-8.
func plainAuth(t *testing.T, key *ecdsa.PrivateKey, to *ecdsa.PublicKey) []byte {
	a := newAuthFields(t, key, to)
	text := append(a.Signature[:], make([]byte, 32)...) // hash of the ephemeral key, which nobody looks at
	text = append(append(append(text, a.Static[:]...), a.Nonce[:]...), 0)
	return encryptTo(t, to, text, nil)
}

// sizedAuth is an EIP-8 packet that announces the given size.
func sizedAuth(t *testing.T, key *ecdsa.PrivateKey, to *ecdsa.PublicKey, size int) []byte {
	text, err := rlp.EncodeToBytes(newAuthFields(t, key, to))
	if err != nil {
		t.Fatal(err)
	}
	const overhead = 65 + 16 + 32 // point, IV, tag
	text = append(text, make([]byte, size-overhead-len(text))...)
	prefix := binary.BigEndian.AppendUint16(nil, uint16(size))
	return append(prefix, encryptTo(t, to, text, prefix)...)
}

// readAck reads the server's answer to auth, which ends with the first frame, and decrypts it.
func readAck(t *testing.T, fd net.Conn, key *ecdsa.PrivateKey, plain bool) error {
	t.Helper()
	var prefix []byte
	size := 210
	if !plain {
		prefix = make([]byte, 2)
		if _, err := io.ReadFull(fd, prefix); err != nil {
			return err
		}
		size = int(binary.BigEndian.Uint16(prefix))
	}
	ack := make([]byte, size)
	if _, err := io.ReadFull(fd, ack); err != nil {
		return err
	}
	_, err := ecies.ImportECDSA(key).Decrypt(ack, nil, prefix)
	return err
}

func TestLegacyHandshakeAddsTheFormFromBeforeEIP8(t *testing.T) {
	for _, test := range []struct {
		name   string
		legacy bool
		size   int // 0: plain
		pieces int // in how many the packet is sent
		want   error
	}{
		{name: "plain", legacy: true, pieces: 1},
		{name: "plain in pieces", legacy: true, pieces: 3},
		{name: "plain, not accepted", pieces: 1, want: io.ErrUnexpectedEOF},
		{name: "usual", legacy: true, size: 0x0190, pieces: 1},
		{name: "size that starts like a point", legacy: true, size: 0x0400, pieces: 1},
		{name: "largest such size, in pieces", legacy: true, size: 0x04ff, pieces: 5},
		{name: "such a size, plain not accepted", size: 0x0400, pieces: 1},
		{name: "larger", legacy: true, size: 0x0500, pieces: 1},
	} {
		t.Run(test.name, func(t *testing.T) {
			rec := new(refusals)
			srv := startTestServer(t, func(srv *Server) { srv.LegacyHandshake, srv.MaxPendingPeers, srv.Recorder = test.legacy, 1, rec })
			key, to := newKey(t), &srv.PrivateKey.PublicKey
			packet := plainAuth(t, key, to)
			if test.size > 0 {
				packet = sizedAuth(t, key, to, test.size)
			}
			fd, err := net.Dial("tcp", srv.ListenAddr)
			if err != nil {
				t.Fatal(err)
			}
			defer fd.Close()
			fd.SetDeadline(time.Now().Add(5 * time.Second))
			for i := range test.pieces {
				n := len(packet) / test.pieces
				from, to := i*n, (i+1)*n
				if i == test.pieces-1 {
					to = len(packet)
				}
				if _, err := fd.Write(packet[from:to]); err != nil {
					t.Fatal(err)
				}
				<-time.After(10 * time.Millisecond) // or TCP makes one of them
			}
			if test.want != nil {
				fd.(*net.TCPConn).CloseWrite()
				if ev := rec.last(t, 1); !errors.Is(ev.Err, test.want) || ev.Stage != "rlpx" {
					t.Errorf("recorded %+v", ev)
				}
			} else if err := readAck(t, fd, key, test.size == 0); err != nil {
				t.Errorf("no answer: %v", err)
			}
		})
	}
}

// Whoever sends the beginning of such a packet and no more holds no slot while it is waited for.
func TestAHalfPacketThatLooksPlainHoldsNoSlot(t *testing.T) {
	srv := startTestServer(t, func(srv *Server) { srv.LegacyHandshake, srv.MaxPendingPeers = true, 1 })
	fd, err := net.Dial("tcp", srv.ListenAddr)
	if err != nil {
		t.Fatal(err)
	}
	defer fd.Close()
	if _, err := fd.Write(sizedAuth(t, newKey(t), &srv.PrivateKey.PublicKey, 0x0400)[:plainAuthSize]); err != nil {
		t.Fatal(err)
	}
	if d, err := tryConnect(t, srv); err != nil || d > time.Second && !race.Enabled {
		t.Errorf("the honest dial took %v, %v", d, err)
	}
}
