package lanes

import (
	"bytes"
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"flag"
	"os"
	"testing"
)

var update = flag.Bool("update", false, "write docs/spec/lanes-vectors.json anew")

const vectorsFile = "../../docs/spec/lanes-vectors.json"

// vectors is the form of lanes-vectors.json.
type vectors struct {
	About string `json:"about"`
	Keys  struct {
		About           string   `json:"about"`
		EphemeralKey    hexBytes `json:"ephemeral_key"`
		Auth            hexBytes `json:"auth_packet"`
		Ack             hexBytes `json:"ack_packet"`
		InitiatorHello  hexBytes `json:"initiator_hello_frame_data"`
		RecipientHello  hexBytes `json:"recipient_hello_frame_data"`
		Transcript      hexBytes `json:"transcript"`
		PRK             hexBytes `json:"prk"`
		InitiatorSecret secret   `json:"initiator_to_recipient"`
		RecipientSecret secret   `json:"recipient_to_initiator"`
	} `json:"keys"`
	Records []vectorRecord `json:"records"`
	Ratchet struct {
		About   string         `json:"about"`
		Old     secret         `json:"old"`
		PRK     hexBytes       `json:"prk"`
		New     secret         `json:"new"`
		Records []vectorRecord `json:"records"`
	} `json:"ratchet"`
}

type secret struct {
	Key hexBytes `json:"key"`
	IV  hexBytes `json:"iv"`
}

type vectorRecord struct {
	From      string   `json:"from"` // initiator or recipient
	Number    uint64   `json:"number"`
	Frames    string   `json:"frames"` // in words
	Nonce     hexBytes `json:"nonce"`
	Plaintext hexBytes `json:"plaintext"`
	Record    hexBytes `json:"record"`
}

// hexBytes are hexadecimal in JSON.
type hexBytes []byte

func (b hexBytes) MarshalText() ([]byte, error) { return hex.AppendEncode(nil, b), nil }

func (b *hexBytes) UnmarshalText(text []byte) (err error) {
	*b, err = hex.DecodeString(string(text))
	return err
}

// hmac256 is HMAC-SHA256 of the parts, one behind the other.
func hmac256(key []byte, parts ...[]byte) []byte {
	h := hmac.New(sha256.New, key)
	for _, p := range parts {
		h.Write(p)
	}
	return h.Sum(nil)
}

// expanded is HKDF-Expand to 44 bytes (RFC 5869, section 2.3), spelled out: two blocks of the HMAC.
func expanded(prk []byte, label string) (s secret) {
	first := hmac256(prk, []byte(label), []byte{1})
	second := hmac256(prk, first, []byte(label), []byte{2})
	return secret{Key: first, IV: second[:12]}
}

// sealed is a record, spelled out.
func sealed(t *testing.T, s secret, number uint64, plain []byte) (nonce, record []byte) {
	block, err := aes.NewCipher(s.Key)
	if err != nil {
		t.Fatal(err)
	}
	gcm, err := cipher.NewGCM(block)
	if err != nil {
		t.Fatal(err)
	}
	nonce = bytes.Clone(s.IV)
	for i, b := range binary.BigEndian.AppendUint64(nil, number) {
		nonce[4+i] ^= b
	}
	length := binary.BigEndian.AppendUint32(nil, uint32(len(plain)+16))[1:]
	return nonce, gcm.Seal(bytes.Clone(length), nonce, plain, length)
}

// The checks here use nothing of the package but to compare, and HMAC and GCM of the standard library.
func TestTheVectorsAreWhatTheSpecificationSays(t *testing.T) {
	v := readVectors(t)
	k := &v.Keys
	transcript := sha256.Sum256(bytes.Join([][]byte{k.Auth, k.Ack, k.InitiatorHello, k.RecipientHello}, nil))
	same(t, "transcript", k.Transcript, transcript[:])
	same(t, "prk", k.PRK, hmac256(transcript[:], k.EphemeralKey))
	sameSecret(t, "initiator to recipient", k.InitiatorSecret, expanded(k.PRK, "devp2p lanes/1 i2r"))
	sameSecret(t, "recipient to initiator", k.RecipientSecret, expanded(k.PRK, "devp2p lanes/1 r2i"))
	if len(v.Records) != 4 {
		t.Errorf("%d records", len(v.Records))
	}
	for _, r := range v.Records {
		from := k.InitiatorSecret
		if r.From == "recipient" {
			from = k.RecipientSecret
		}
		checkRecord(t, r, from)
	}
	old := v.Ratchet.Old
	same(t, "prk of the ratchet", v.Ratchet.PRK, hmac256(make([]byte, 32), old.Key, old.IV)) // no salt is 32 zero bytes
	sameSecret(t, "old secret", old, k.InitiatorSecret)
	sameSecret(t, "new secret", v.Ratchet.New, expanded(v.Ratchet.PRK, "devp2p lanes/1 next"))
	if len(v.Ratchet.Records) != 4 {
		t.Errorf("%d records around the ratchet", len(v.Ratchet.Records))
	}
	for i, r := range v.Ratchet.Records {
		if i < 2 {
			checkRecord(t, r, old)
		} else {
			checkRecord(t, r, v.Ratchet.New)
		}
	}
}

func TestTheCodecMakesAndOpensTheVectors(t *testing.T) {
	v := readVectors(t)
	out, in, err := Derive(v.Keys.EphemeralKey, [32]byte(v.Keys.Transcript))
	if err != nil {
		t.Fatal(err)
	}
	sameSecret(t, "initiator to recipient", v.Keys.InitiatorSecret, secret{out.Key[:], out.IV[:]})
	sameSecret(t, "recipient to initiator", v.Keys.RecipientSecret, secret{in.Key[:], in.IV[:]})
	for from, k := range map[string]Key{"initiator": out, "recipient": in} {
		s, _ := NewSealer(k)
		o, _ := NewOpener(k)
		all := v.Records
		if from == "initiator" {
			all = append(all[:len(all):len(all)], v.Ratchet.Records...)
		}
		for i, r := range all {
			if r.From != from {
				continue
			}
			if i >= len(v.Records) && i < len(v.Records)+2 {
				s.half.number, o.half.number = r.Number, r.Number // passed over: every other record of the first secret
			}
			same(t, r.Frames, s.Seal(room(r.Plaintext)), r.Record)
			plain, err := o.Open(bytes.Clone(r.Record))
			if err != nil {
				t.Fatalf("%s: %v", r.Frames, err)
			}
			same(t, r.Frames, plain, r.Plaintext)
			if _, err := frames(plain); err != nil {
				t.Errorf("%s: %v", r.Frames, err)
			}
		}
	}
}

func checkRecord(t *testing.T, r vectorRecord, s secret) {
	t.Helper()
	nonce, record := sealed(t, s, r.Number, r.Plaintext)
	same(t, "nonce of "+r.Frames, r.Nonce, nonce)
	same(t, "record of "+r.Frames, r.Record, record)
}

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if len(want) == 0 || !bytes.Equal(got, want) {
		t.Errorf("%s: %x, want %x", what, got, want)
	}
}

func sameSecret(t *testing.T, what string, got, want secret) {
	t.Helper()
	same(t, what+": key", got.Key, want.Key)
	same(t, what+": iv", got.IV, want.IV)
}

func readVectors(t *testing.T) (v vectors) {
	if *update {
		writeVectors(t)
	}
	text, err := os.ReadFile(vectorsFile)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(text, &v); err != nil {
		t.Fatal(err)
	}
	return v
}
