package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/internal/race"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// Addresses of the vectors.
var (
	addrA = chunk.Address(bytes.Repeat([]byte{0xaa}, 32))
	addrB = chunk.Address(bytes.Repeat([]byte{0xbb}, 32))
)

const (
	hexA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	hexB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
)

var liveSix = Stream{Name: "SYNC", Key: "6", Live: true}

// vectors are messages and their payloads. Those marked seen are what go-ethereum 1.8.27 has sent or made of them.
var vectors = []struct {
	name    string
	proto   string
	message Message
	payload string
}{
	{"handshake, seen", BzzName, Handshake{Version: 8, NetworkID: 3, Addr: PeerAddr{Overlay: addrA, Underlay: []byte("enode://x")}},
		"ef0803eba0" + hexA + "89656e6f64653a2f2f7880"},
	{"handshake of a light node", BzzName, Handshake{Version: 8, NetworkID: 3, Addr: PeerAddr{Overlay: addrA, Underlay: []byte("enode://x")}, Light: true},
		"ef0803eba0" + hexA + "89656e6f64653a2f2f7801"},
	{"no peers", HiveName, Peers{}, "c1c0"},
	{"two peers", HiveName, Peers{[]PeerAddr{{Overlay: addrA, Underlay: []byte("x")}, {Overlay: addrB, Underlay: []byte("y")}}},
		"f848f846" + "e2a0" + hexA + "78" + "e2a0" + hexB + "79"},
	{"depth 0, seen", HiveName, SubPeers{}, "c180"},
	{"depth 255", HiveName, SubPeers{255}, "c281ff"},
	{"unsubscribe, seen", StreamName, Unsubscribe{liveSix}, "c8c78453594e433601"},
	{"quit", StreamName, Quit{liveSix.History()}, "c8c78453594e433680"},
	{"offer, seen", StreamName, OfferedHashes{Stream: Stream{"SYNC", "0", true}, From: 1, Hashes: mustHex("f15319574ae12825b16ee855c316d4bafbd4cba49cee671e3495b97e8a5465b8")},
		"f5c78453594e4330010180a0f15319574ae12825b16ee855c316d4bafbd4cba49cee671e3495b97e8a5465b8c980c7c3808080808080"},
	{"wanted, seen", StreamName, WantedHashes{liveSix, Bits{1, 0}, 3, 0}, "cdc78453594e4336018201000380"},
	{"wanted history, seen", StreamName, WantedHashes{Stream{"SYNC", "0", false}, Bits{1}, 1, 1<<64 - 1}, "d3c78453594e433080010188ffffffffffffffff"},
	{"subscribe, seen", StreamName, Subscribe{liveSix, &Range{}, PriorityHigh}, "ccc78453594e433601c2808002"},
	{"subscribe to retrieval, seen", StreamName, Subscribe{Stream{RetrieveStream, "", true}, nil, PriorityTop},
		"d6d39052455452494556455f524551554553548001c003"},
	{"request subscription, seen", StreamName, RequestSubscription{SyncBin(10), &Range{}, PriorityHigh}, "ccc78453594e436101c2808002"},
	{"retrieve, seen", StreamName, RetrieveRequest{addrA, true, 1}, "e3a0" + hexA + "0101"},
	{"delivery of retrieval, seen", StreamName, Delivery{addrA, []byte{1, 2, 3}, false}, "e5a0" + hexA + "83010203"},
	{"delivery of syncing", StreamName, Delivery{addrA, []byte{1, 2, 3}, true}, "e5a0" + hexA + "83010203"},
	{"subscribe error, seen", StreamName, SubscribeError{"boo"}, "c483626f6f"},
}

func mustHex(s string) []byte {
	b, err := hex.DecodeString(s)
	if err != nil {
		panic(err)
	}
	return b
}

// parse parses a payload by protocol and code, as tests and fuzz targets want it. It returns nil for a code nobody sends.
func parse(proto string, code uint64, payload []byte) (Message, error) {
	type key struct {
		proto string
		code  uint64
	}
	switch (key{proto, code}) {
	case key{BzzName, CodeHandshake}:
		return message(ParseHandshake(payload))
	case key{HiveName, CodePeers}:
		return message(ParsePeers(payload))
	case key{HiveName, CodeSubPeers}:
		return message(ParseSubPeers(payload))
	case key{StreamName, CodeUnsubscribe}:
		return message(ParseUnsubscribe(payload))
	case key{StreamName, CodeOfferedHashes}:
		return message(ParseOfferedHashes(payload))
	case key{StreamName, CodeWantedHashes}:
		return message(ParseWantedHashes(payload))
	case key{StreamName, CodeSubscribe}:
		return message(ParseSubscribe(payload))
	case key{StreamName, CodeRetrieveRequest}:
		return message(ParseRetrieveRequest(payload))
	case key{StreamName, CodeDeliveryRetrieval}, key{StreamName, CodeDeliverySyncing}:
		return message(ParseDelivery(code, payload))
	case key{StreamName, CodeSubscribeError}:
		return message(ParseSubscribeError(payload))
	case key{StreamName, CodeRequestSubscription}:
		return message(ParseRequestSubscription(payload))
	case key{StreamName, CodeQuit}:
		return message(ParseQuit(payload))
	case key{StreamName, CodeTakeoverProof}:
		return nil, CheckTakeoverProof(payload)
	}
	return nil, errors.New("no such code")
}

func message[M Message](m M, err error) (Message, error) { return m, err }

func TestMessagesAreTheBytesOfTheFactSheet(t *testing.T) {
	for _, v := range vectors {
		t.Run(v.name, func(t *testing.T) {
			payload, err := Unwrap(Append(nil, v.message))
			if err != nil || hex.EncodeToString(payload) != v.payload {
				t.Errorf("encoded as %x, %v", payload, err)
			}
			m, err := parse(v.proto, v.message.Code(), mustHex(v.payload))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(m, v.message) {
				t.Errorf("parsed as %+v, want %+v", m, v.message)
			}
		})
	}
	if err := CheckTakeoverProof(mustHex("c980c7c3808080808080")); err != nil {
		t.Error(err)
	}
}

func TestTheWrapperIsThatOfTheFactSheet(t *testing.T) {
	want := "f38030b0" + vectors[0].payload
	if got := hex.EncodeToString(Append([]byte{1}, vectors[0].message)); got != "01"+want {
		t.Errorf("got %s", got)
	}
	for _, test := range []struct{ name, wrapped, payload string }{
		{"a context", "ca85" + "0102030405" + "02" + "82c180", "c180"},
		{"size 999", "c7808203e782c180", "c180"},
	} {
		if got, err := Unwrap(mustHex(test.wrapped)); err != nil || hex.EncodeToString(got) != test.payload {
			t.Errorf("%s: %x, %v", test.name, got, err)
		}
	}
	large := Append(nil, SubscribeError{strings.Repeat("x", 70_000)})
	var w struct {
		Context []byte
		Size    uint32
		Payload []byte
	}
	if err := rlp.DecodeBytes(large, &w); err != nil || int(w.Size) != len(w.Payload) || len(w.Payload) < 70_000 {
		t.Errorf("size %d, payload of %d bytes, %v", w.Size, len(w.Payload), err)
	}
}

func TestWhatIsMalformedIsRefusedWithItsName(t *testing.T) {
	long := func(n int) string { return strings.Repeat("00", n) }
	for _, test := range []struct {
		proto   string
		code    uint64
		payload string
		want    string
	}{
		{BzzName, 0, "80", "Handshake: the list"},
		{BzzName, 0, "", "Handshake: the list"},
		{BzzName, 0, vectors[0].payload + "00", "1 bytes follow"},
		{BzzName, 0, "f00803eba0" + hexA + "89656e6f64653a2f2f788001", "1 items too many"},
		{BzzName, 0, "ee0803ea9f" + hexA[2:] + "89656e6f64653a2f2f7880", "overlay: 31 bytes"},
		{BzzName, 0, "ef0803eba0" + hexA + "89656e6f64653a2f2f7802", "light node: 2, at most 1"},
		{BzzName, 0, "f082000803eba0" + hexA + "89656e6f64653a2f2f78", "version"},
		{BzzName, 0, "f9022e0803f90228a0" + hexA + "b90204" + long(516) + "80", "underlay: 516 bytes"},
		{HiveName, 0, "c0", "addresses"},
		{HiveName, 0, "c3c2c1c0", "Peers: overlay"},
		{HiveName, 0, hex.EncodeToString(AppendLater(nil, Peers{make([]PeerAddr, MaxPeers+1)})), "addresses: more than 4096"},
		{HiveName, 1, "c3820100", "depth: 256"},
		{StreamName, 1, "d6c78453594e4330010180" + "81aac980c7c3808080808080", "hashes: 1 bytes follow"},
		{StreamName, 1, "cbc78453594e433001018080", "proof"},
		{StreamName, 2, "ccc78453594e43360102" + "8080", "the list"},
		{StreamName, 4, "cbc78453594e433601c18002", "to"},
		{StreamName, 4, "cdc78453594e433601c380808002", "items too many"},
		{StreamName, 5, "e3a0" + hexA + "0501", "skip check"},
		{StreamName, 6, "f9" + "102d" + "a0" + hexA + "b91009" + long(4105), "data: 4105 bytes"},
		{StreamName, 7, "c0", "text"},
		{StreamName, 9, "c7c68453594e4336", "live"},
	} {
		_, err := parse(test.proto, test.code, mustHex(test.payload))
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %d %.60s: %v, want %q", test.proto, test.code, test.payload, err, test.want)
		}
	}
	for _, test := range []struct{ wrapped, want string }{
		{"c0", "context"}, {"c28080", "payload"}, {"c4808080c0", "items too many"}, {"c38080c0", "payload"}, {"c480808080", "items too many"},
		{"c880850100000000" + "80", "size"},
	} {
		if _, err := Unwrap(mustHex(test.wrapped)); !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("wrapper %s: %v, want %q", test.wrapped, err, test.want)
		}
	}
	if _, err := Unwrap(make([]byte, MaxMessage+1)); err == nil {
		t.Error("a message of more than 10 MiB is taken")
	}
}

func TestBinsAreKeysToBase36(t *testing.T) {
	for bin := range 256 {
		if got, ok := SyncBin(bin).Bin(); !ok || got != bin {
			t.Errorf("bin %d becomes %d, %v", bin, got, ok)
		}
	}
	for _, key := range []string{"", "-1", "01", "74", "G", "+1", "0x1", "1_0"} { // 74 is 256
		if bin, ok := (Stream{Name: SyncStream, Key: key}).Bin(); ok {
			t.Errorf("key %q is bin %d", key, bin)
		}
	}
	if _, ok := (Stream{Name: RetrieveStream, Key: "1"}).Bin(); ok {
		t.Error("a stream of another name has a bin")
	}
}

func TestBitsHaveOneByteMoreWhenEightDividesTheirNumber(t *testing.T) {
	b := NewBits(16)
	if len(b) != 3 || !b.Fit(16) || !b[:2].Fit(16) || b.Fit(8) || b.Fit(32) {
		t.Errorf("%d bytes for 16 bits", len(b))
	}
	b.Set(0)
	b.Set(9)
	if !bytes.Equal(b, []byte{1, 2, 0}) || !b.Has(9) || b.Has(8) {
		t.Errorf("bits are %x", b)
	}
}

func TestParsingAHandfulOfMessagesDoesNotAllocate(t *testing.T) {
	if race.Enabled {
		t.Skip("with the race detector pools drop what they hold at random")
	}
	var (
		offer            = Append(nil, OfferedHashes{Stream: liveSix, Hashes: make([]byte, 128*32)})
		delivery         = Append(nil, Delivery{Addr: addrA, Data: make([]byte, 4104)})
		buf              = make([]byte, 0, 8192)
		m        Message = Delivery{Addr: addrA, Data: make([]byte, 4104)}
	)
	for _, test := range []struct {
		name string
		f    func()
		want float64
	}{
		{"delivery", func() { p, _ := Unwrap(delivery); _, _ = ParseDelivery(6, p) }, 0},
		{"offer", func() { p, _ := Unwrap(offer); _, _ = ParseOfferedHashes(p) }, 5}, // however many hashes
		{"append", func() { buf = Append(buf[:0], m) }, 0},
	} {
		if got := testing.AllocsPerRun(100, test.f); got > test.want {
			t.Errorf("%s: %v allocations, at most %v are allowed", test.name, got, test.want)
		}
	}
}
