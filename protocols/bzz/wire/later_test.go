package wire

import (
	"bytes"
	"encoding/hex"
	"errors"
	"reflect"
	"strings"
	"testing"
)

const hexFull = "d4d3d280d001018080010180808080808080808001"

// laterVectors are messages of Swarm 0.5 and their payloads. Those marked seen are what 0.5.8 has sent.
var laterVectors = []struct {
	name    string
	proto   string
	message Message
	payload string
}{
	{"handshake", BzzName, LaterHandshake{14, 4, PeerAddr{addrA, []byte("en"), CapsFull}},
		"f83c0e04a0" + hexA + "82656e95" + hexFull},
	{"two peers", HiveName, LaterPeers{[]PeerAddr{{addrA, []byte("x"), CapsFull}, {addrB, []byte("y"), []byte{1}}}},
		"f85df85b" + "a0" + hexA + "7895" + hexFull + "a0" + hexB + "7901"},
	{"no peers", HiveName, LaterPeers{}, "c1c0"},
	{"request", RetrieveName, LaterRetrieveRequest{1, addrA}, "e201a0" + hexA},
	{"delivery", RetrieveName, LaterDelivery{1, addrA, []byte{1, 2, 3}}, "e601a0" + hexA + "83010203"},
	{"info request", PullName, StreamInfoReq{[]Stream{{Name: "SYNC", Key: "0"}, {Name: "SYNC", Key: "g"}}}, "cfcec68453594e4330c68453594e4367"},
	{"info, seen", PullName, StreamInfoRes{[]StreamInfo{{Stream{Name: "SYNC", Key: "0"}, 2, false}}}, "cbcac9c68453594e43300280"},
	{"head, seen", PullName, GetRange{0xc0cfeb2e, Stream{Name: "SYNC", Key: "0"}, 3, 0, 64}, "cf84c0cfeb2ec68453594e4330038040"},
	{"range, seen", PullName, GetRange{0xe305f3c6, Stream{Name: "SYNC", Key: "0"}, 1, 2, 64}, "cf84e305f3c6c68453594e4330010240"},
	{"offer, seen", PullName, PullOffer{0x2e0dca68, 1, mustHex("c4925d5e990dd44af77d310e19fa6071168f21c298247c9c980477ff5b30014a")},
		"e7842e0dca6801a0c4925d5e990dd44af77d310e19fa6071168f21c298247c9c980477ff5b30014a"},
	{"wanted, seen", PullName, PullWanted{0xe305f3c6, Bits{3}}, "c684e305f3c603"},
	{"delivery of an offer", PullName, PullDelivery{0x2e0dca68, []Delivered{{addrA, []byte{1, 2, 3}}}},
		"ec842e0dca68e6e5a0" + hexA + "83010203"},
}

// parseLater parses a payload by protocol and code.
func parseLater(proto string, code uint64, payload []byte) (Message, error) {
	type key struct {
		proto string
		code  uint64
	}
	switch (key{proto, code}) {
	case key{BzzName, CodeHandshake}:
		return message(ParseLaterHandshake(payload))
	case key{HiveName, CodePeers}:
		return message(ParseLaterPeers(payload))
	case key{RetrieveName, CodeLaterDelivery}:
		return message(ParseLaterDelivery(payload))
	case key{RetrieveName, CodeLaterRetrieval}:
		return message(ParseLaterRetrieveRequest(payload))
	case key{PullName, CodeStreamInfoReq}:
		return message(ParseStreamInfoReq(payload))
	case key{PullName, CodeStreamInfoRes}:
		return message(ParseStreamInfoRes(payload))
	case key{PullName, CodeGetRange}:
		return message(ParseGetRange(payload))
	case key{PullName, CodePullOffer}:
		return message(ParsePullOffer(payload))
	case key{PullName, CodePullDelivery}:
		return message(ParsePullDelivery(payload))
	case key{PullName, CodePullWanted}:
		return message(ParsePullWanted(payload))
	}
	return nil, errors.New("no such code")
}

var laterLengths = map[string]uint64{BzzName: 1, HiveName: 1, PullName: PullLength, RetrieveName: RetrieveLength}

func TestLaterMessagesAreTheBytesOfTheFactSheet(t *testing.T) {
	for _, v := range laterVectors {
		t.Run(v.name, func(t *testing.T) {
			if got := hex.EncodeToString(AppendLater([]byte{1}, v.message)); got != "01"+v.payload {
				t.Errorf("encoded as %s", got[2:])
			}
			m, err := parseLater(v.proto, v.message.Code(), mustHex(v.payload))
			if err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(m, v.message) {
				t.Errorf("parsed as %+v, want %+v", m, v.message)
			}
		})
	}
}

func TestCapabilitiesAreThoseOfTheFactSheet(t *testing.T) {
	if got := hex.EncodeToString(CapsFull); got != hexFull {
		t.Errorf("full: %s", got)
	}
	for _, test := range []struct {
		caps  []byte
		light bool
		fails bool
	}{{CapsFull, false, false}, {CapsLight, true, false}, {nil, false, true}, {encodeCaps(0), false, true}} {
		light, err := LightCaps(test.caps)
		if light != test.light || (err != nil) != test.fails || err != nil && !errors.Is(err, ErrCaps) {
			t.Errorf("%x: %v, %v", test.caps, light, err)
		}
	}
}

func TestLaterMessagesThatAreMalformedAreRefusedWithTheirName(t *testing.T) {
	for _, test := range []struct {
		proto   string
		code    uint64
		payload string
		want    string
	}{
		{BzzName, 0, "c20e04", "Handshake: overlay"},
		{HiveName, 0, "e2e1a0" + hexA, "Peers: underlay"},
		{PullName, CodeStreamInfoReq, "f90306f90303" + strings.Repeat("c28080", 257), "more than 256"},
		{PullName, CodeGetRange, "c901c68453594e433001", "to"},
		{PullName, CodePullOffer, "c5010182aabb", "hashes: 2 bytes"},
		{PullName, CodePullDelivery, "c401c2c180", "address"},
		{RetrieveName, CodeLaterDelivery, "c101", "address"},
	} {
		_, err := parseLater(test.proto, test.code, mustHex(test.payload))
		if !errors.Is(err, ErrMalformed) || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s %d %.40s: %v, want %q", test.proto, test.code, test.payload, err, test.want)
		}
	}
}

// FuzzLaterMessages is FuzzMessages for the messages of Swarm 0.5.
func FuzzLaterMessages(f *testing.F) {
	for _, v := range laterVectors {
		f.Add(AppendLater(nil, v.message))
	}
	f.Fuzz(func(t *testing.T, payload []byte) {
		for proto, length := range laterLengths {
			for code := range length {
				m, err := parseLater(proto, code, payload)
				if err != nil {
					continue
				}
				if again := AppendLater(nil, m); !bytes.Equal(again, payload) {
					t.Fatalf("%s %d: %x parses and encodes as %x", proto, code, payload, again)
				}
			}
		}
	})
}
