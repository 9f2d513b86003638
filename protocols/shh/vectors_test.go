package shh

import (
	"bytes"
	"encoding/hex"
	"math"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
)

func unhex(t testing.TB, text string) []byte {
	t.Helper()
	b, err := hex.DecodeString(text)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The vectors were made by running go-ethereum 1.8.27 and 1.9.20.

func TestEnvelopesAreEncodedAndCountedAsByBothGenerations(t *testing.T) {
	nines := bytes.Repeat([]byte{9}, 256)
	tests := []struct {
		e         Envelope
		raw, hash string // hash: a part of it will do
		by18      float64
		by19      float64
	}{
		{Envelope{TTL: 1, Data: []byte{0xde, 0xad, 0xbe, 0xef}, Nonce: 100000}, "d08001840000000084deadbeef830186a0",
			"660f65a268e219b51aa55347adab435ffa14835a64d247a72bc2ef88cae6dc58", 0.041666666666666664, 0.07692307692307693},
		{Envelope{TTL: 1, Data: []byte{0xde, 0xad, 0xbe, 0xef}, Nonce: 276}, "cf8001840000000084deadbeef820114",
			"300e63ed3c7a65d646006bd8f92ed35851ac71038f39912186f66bcb8003413f", 0.041666666666666664, 19.692307692307693},
		{Envelope{Expiry: 100000, TTL: 30, Data: nines, Nonce: 1010101}, "", "8aa530cd", 0.00012077294685990338, 0.00012254901960784314},
		{Envelope{Expiry: 100000, TTL: 30, Data: nines, Nonce: 1010102}, "", "2503e59d", 0.00012077294685990338, 0.00024509803921568627},
		{Envelope{Expiry: 100000, TTL: 30, Data: nines, Nonce: 1010103}, "", "98e716f5", 0.00024154589371980676, 0.0004901960784313725},
	}
	for _, tt := range tests {
		e := tt.e
		if tt.raw != "" && hex.EncodeToString(e.Encoding()) != tt.raw {
			t.Errorf("nonce %d: %x, want %s", e.Nonce, e.Encoding(), tt.raw)
		}
		if got := hex.EncodeToString(e.Hash().Bytes()); got[:len(tt.hash)] != tt.hash {
			t.Errorf("nonce %d: hash %s, want %s", e.Nonce, got, tt.hash)
		}
		if w := e.Work(); w.By18 != tt.by18 || w.By19 != tt.by19 {
			t.Errorf("nonce %d: work %v, want %v and %v", e.Nonce, w, tt.by18, tt.by19)
		}
		if got := e.shortSize(); len(e.Data) == 256 && (got != 272 || len(e.Encoding()) != 276) {
			t.Errorf("nonce %d: %d bytes without it and %d with it, want 272 and 276", e.Nonce, got, len(e.Encoding()))
		}
	}
}

func TestDigestsOf19AreThoseOfNim(t *testing.T) {
	e := &Envelope{TTL: 1, Data: []byte{0xde, 0xad, 0xbe, 0xef}}
	h := newPrefixHash(e, Rule19)
	for nonce, want := range map[uint64]string{
		100000: "a788e02a95bfc673709e97ca81e39ca903bad5638d3388964c51eb64952172d6",
		276:    "00e2374c6353c243e4073e209a7f2acb2506522af318b3b78cf9a88310a2a11c",
	} {
		var d [32]byte
		if h.sum(nonce, &d); hex.EncodeToString(d[:]) != want {
			t.Errorf("nonce %d: %x, want %s", nonce, d, want)
		}
	}
}

func TestStatusIsGoEthereums(t *testing.T) {
	full := status{minWork: 0.2, bloom: FullBloom()}
	if got := hex.EncodeToString(encodeStatus(full)); got != "cc06883fc999999999999a8080" {
		t.Errorf("a usual status is %s", got)
	}
	if got := hex.EncodeToString(encodeWork(0.2)); got != "883fc999999999999a" {
		t.Errorf("0.2 is %s", got)
	}
	if got := hex.EncodeToString(encodeWork(0)); got != "80" {
		t.Errorf("0 is %s", got)
	}
}

func TestBloomFiltersAreThoseOfTheSpecificationAndOfGoEthereum(t *testing.T) {
	tests := []struct {
		topic        string
		sparse, full map[int]byte // by byte; full is nil if it is the same
	}{
		{"0000ff06", map[int]byte{0: 1, 32: 1, 63: 0x80}, nil},
		{"ab12cd34", map[int]byte{2: 4, 21: 8, 57: 0x20}, nil},
		{"00010207", map[int]byte{32: 4}, map[int]byte{32: 7}},
		{"00081000", map[int]byte{0: 1, 1: 1, 2: 1}, nil},
		{"01020300", map[int]byte{0: 8}, map[int]byte{0: 0x0e}},
	}
	for _, tt := range tests {
		topic, err := ParseTopic(tt.topic)
		if err != nil {
			t.Fatal(err)
		}
		var sparse, full Bloom
		for i, b := range tt.sparse {
			sparse[i] = b
		}
		full = sparse
		for i, b := range tt.full {
			full[i] = b
		}
		if got := sparseBloomOf(topic); got != sparse {
			t.Errorf("%s: go-ethereum's filter is %x, want %x", tt.topic, got, sparse)
		}
		if got := BloomOf(topic); got != full {
			t.Errorf("%s: the filter is %x, want %x", tt.topic, got, full)
		}
		for _, b := range []Bloom{sparse, full, FullBloom()} {
			if !b.Passes(topic) {
				t.Errorf("%s: does not pass %x", tt.topic, b)
			}
		}
		if none := (Bloom{}); none.Passes(topic) || none.Full() {
			t.Errorf("%s: passes the empty filter", tt.topic)
		}
	}
	two := BloomOf(Topic{1, 2, 3}, Topic{9, 99, 199, 7})
	if !two.Passes(Topic{1, 2, 3}) || !two.Passes(Topic{9, 99, 199, 7}) || two.Passes(Topic{4, 5, 6}) {
		t.Errorf("the filter of two topics is %x", two)
	}
}

func TestKeysOfPasswordsAreEverybodys(t *testing.T) {
	for password, want := range map[string]string{
		"test":                     "a82a520aff70f7a989098376e48ec128f25f767085e84d7fb995a9815eebff0a",
		"":                         "ffe46925eca10a1c333a2f37eaea7cafbb7fa5f1f8e097010f93d73ae7fb7e67",
		"some arbitrary data here": "64bbb72ec033dc257b6a8943ba3941bae4dbdc88d0781f5b417ee4a87c7fd56b",
	} {
		if got, err := SymKeyFromPassword(password); err != nil || hex.EncodeToString(got) != want {
			t.Errorf("%q: %x, %v, want %s", password, got, err, want)
		}
	}
}

// sample is a signed message of go-ethereum 1.9.20.
const sample = "f9012d846b035a39328401020304b9011c4e29c7763621dc7b19f3d3a0a1060ef638b699664c0f2952f94478c82189666d0c2a0a7c0a5a1466bb122f52271ec6bdf421868d031bf557e026c277d76bfa32ab51ae940a339d5c48dd1d73a4a343565f0739ba9911cbba4ab7b108286fc9814c9ad1ce235d27363f5a404eae1e7ec39eb208ff86ddc28acadc5dfc624192bc71da5a69c394213cd08665b09948ab98e721ff7c87ee404ddec876556a777c4ad2cc2e079cece4cd80acf45d937cc4613c2aff33fcc0744f32ff9246bca36583ca583d934a8c05cf6e34d50178c3ec4632914ebc3c560b8d5ae48a13200c29eb05a84184dc912a2d702b62c374352b192871f9e80d1df3aef1d823d989695d6d5f12a267c32f701b21ecc8ecce5454382a11ac91a17beacdfa2b427d82130d"

func TestASignedMessageOf19CanBeRead(t *testing.T) {
	e, err := DecodeEnvelope(unhex(t, sample))
	if err != nil {
		t.Fatal(err)
	}
	if e.Topic != (Topic{1, 2, 3, 4}) || e.TTL != 50 || e.Expiry != 1795381817 || e.Nonce != 4877 || len(e.Data) != 284 {
		t.Errorf("the envelope is %+v", e)
	}
	if w := e.Work(); math.Abs(w.By19-1.0886378737541529) > 1e-15 {
		t.Errorf("its work is %v", w)
	}
	if !bytes.Equal(e.encode(), unhex(t, sample)) {
		t.Error("it is encoded differently")
	}
	var key [32]byte
	for i := range key {
		key[i] = byte(i + 1)
	}
	f, err := newFilter(Filter{SymKey: key[:]})
	if err != nil {
		t.Fatal(err)
	}
	m := f.open(&opener{env: e, work: e.Work()})
	if m == nil {
		t.Fatal("it cannot be opened")
	}
	signer, err := crypto.HexToECDSA("b71c71a67e1177ad4e901695e1b4b9ee17ae16c6668d313eac2f96dbcda3f291")
	if err != nil {
		t.Fatal(err)
	}
	if string(m.Payload) != "hello" || m.From == nil || !m.From.Equal(&signer.PublicKey) || m.To != nil || m.Sent != 1795381767 {
		t.Errorf("the message is %+v", m)
	}
}
