package lanes

import (
	"bytes"
	"crypto/hkdf"
	"crypto/sha256"
	"encoding/json"
	"os"
	"testing"

	"github.com/ethereum/go-ethereum/rlp"
	"github.com/golang/snappy"
)

// counted returns n bytes that go up from first.
func counted(first byte, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = first + byte(i)
	}
	return p
}

// vectorHello is the frame-data of a Hello that offers lanes/1.
func vectorHello(t *testing.T, name string, key byte) []byte {
	type capability struct {
		Name    string
		Version uint
	}
	payload, err := rlp.EncodeToBytes([]any{
		uint(5), name, []capability{{"eth", 69}, {"lanes", 1}, {"snap", 1}}, uint(0), counted(key, 64),
	})
	if err != nil {
		t.Fatal(err)
	}
	return append([]byte{0x80}, payload...)
}

// writeVectors makes the vectors with the codec.
func writeVectors(t *testing.T) {
	var v vectors
	v.About = "Golden vectors for lanes/1, see lanes.md. All byte strings are hexadecimal. Records are listed in the order in which " +
		"their direction sends them; number is the record number, which is part of the nonce."
	k := &v.Keys
	k.About = "auth_packet and ack_packet stand for handshake packets as on the wire, size prefix included; for the keys they are any bytes. " +
		"frame-data is the code 0x80 and the RLP of the Hello, without padding."
	k.EphemeralKey = counted(0x40, 32)
	k.Auth = append([]byte{0, 40}, counted(0xa0, 40)...)
	k.Ack = append([]byte{0, 30}, counted(0x50, 30)...)
	k.InitiatorHello = vectorHello(t, "initiator/v1", 0x01)
	k.RecipientHello = vectorHello(t, "recipient/v1", 0x81)
	transcript := sha256.Sum256(bytes.Join([][]byte{k.Auth, k.Ack, k.InitiatorHello, k.RecipientHello}, nil))
	k.Transcript = transcript[:]
	out, in, err := Derive(k.EphemeralKey, transcript)
	if err != nil {
		t.Fatal(err)
	}
	prk, err := hkdf.Extract(sha256.New, k.EphemeralKey, transcript[:])
	if err != nil {
		t.Fatal(err)
	}
	k.PRK = prk
	k.InitiatorSecret = secret{bytes.Clone(out.Key[:]), bytes.Clone(out.IV[:])}
	k.RecipientSecret = secret{bytes.Clone(in.Key[:]), bytes.Clone(in.IV[:])}

	initiator, _ := NewSealer(out)
	recipient, _ := NewSealer(in)
	packed := snappy.Encode(nil, bytes.Repeat([]byte("lanes"), 20))
	v.Records = []vectorRecord{
		vectorOf(initiator, "initiator", "MESSAGE on lane 1, code 16, 5 bytes as they are, whole; PING",
			AppendPing(append(AppendMessage(nil, 1, 16, 5, Plain, 5, 5), "hello"...), Ping, [8]byte{0, 0, 0, 0, 0, 0, 0, 1})),
		vectorOf(initiator, "initiator", "MESSAGE on lane 2, code 0, 100 bytes as a Snappy block, its first 4 bytes; PART with the rest; PADDING",
			append(append(AppendPart(append(AppendMessage(nil, 2, 0, 100, Snappy, len(packed), 4), packed[:4]...), 2, len(packed)-4), packed[4:]...), 0, 0xaa, 0xbb)),
		vectorOf(recipient, "recipient", "PONG; CREDIT for lane 1 up to 400,000",
			AppendCredit(AppendPing(nil, Pong, [8]byte{0, 0, 0, 0, 0, 0, 0, 1}), 1, 400_000)),
		vectorOf(recipient, "recipient", "MESSAGE on lane 300, code 200, without bytes; DISCONNECT 8",
			AppendDisconnect(AppendMessage(nil, 300, 200, 0, Plain, 0, 0), 8)),
	}

	r := &v.Ratchet
	r.About = "The secret from initiator to recipient is replaced after record number 1,048,575. Records between number 1 and 1,048,574 are left out."
	r.Old = k.InitiatorSecret
	if r.PRK, err = hkdf.Extract(sha256.New, append(bytes.Clone(r.Old.Key), r.Old.IV...), nil); err != nil {
		t.Fatal(err)
	}
	initiator.half.number = ratchetAfter - 2
	for _, limit := range []uint64{1<<20 - 2, 1<<20 - 1, 1 << 20, 1<<20 + 1} {
		r.Records = append(r.Records, vectorOf(initiator, "initiator", "CREDIT for lane 1", AppendCredit(nil, 1, limit)))
		if limit == 1<<20-1 {
			r.New = secret{bytes.Clone(initiator.half.secret.Key[:]), bytes.Clone(initiator.half.secret.IV[:])}
		}
	}
	text, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(vectorsFile, append(text, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}

// vectorOf seals a record.
func vectorOf(s *Sealer, from, frames string, plain []byte) vectorRecord {
	r := vectorRecord{From: from, Number: s.half.number, Frames: frames, Plaintext: plain}
	r.Nonce = bytes.Clone(s.half.nextNonce())
	r.Record = s.Seal(room(plain))
	return r
}
