package eth

import (
	"bytes"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

// FuzzDecode feeds payloads to the decoder of every message of every version. What passes must encode to the same bytes
// again, which is what strict means.
func FuzzDecode(f *testing.F) {
	for _, v := range vectors {
		f.Add(byte(v.version), byte(v.m.Code()), unhex(v.payload))
	}
	f.Add(byte(69), byte(CodeReceipts), unhex("f8da820457f8d5f8d3f866808082014df85ff85d940000000000000000000000000000000000000011f842a0000000000000000000000000000000000000000000000000000000000000deada0000000000000000000000000000000000000000000000000000000000000beef830100ff"+
		"f86901018201bcf862f860940000000000000000000000000000000000000022f842a00000000000000000000000000000000000000000000000000000000000005668a0000000000000000000000000000000000000000000000000000000000000977386020f0f0f0608"))
	f.Add(byte(72), byte(CodeCells), unhex(list("80", "e1"+hexHash, list(list()), "9002000000000000000000000000000000")))
	f.Fuzz(func(t *testing.T, version, code byte, payload []byte) {
		m, err := Decode(uint(version), uint64(code), payload)
		if err != nil {
			return
		}
		if q, ok := m.(*GetBlockHeaders); ok && q.Query.Start == (Start{}) {
			return // a hash of zero is sent as the number 0
		}
		again, err := Encode(uint(version), m)
		if err != nil || !bytes.Equal(again, payload) {
			t.Fatalf("%T of eth/%d: %x encodes to %x, %v", m, version, payload, again, err)
		}
	})
}

// FuzzReceipts feeds lists of receipts to the decoder. What passes must survive a second encoding and decoding.
func FuzzReceipts(f *testing.F) {
	for _, version := range []uint{63, 69} {
		for _, r := range twoReceipts() {
			raw, err := EncodeReceipt(version, r)
			if err != nil {
				f.Fatal(err)
			}
			list, err := rlp.EncodeToBytes([]rlp.RawValue{raw})
			if err != nil {
				f.Fatal(err)
			}
			f.Add(byte(version), []byte(list))
		}
	}
	f.Fuzz(func(t *testing.T, version byte, list []byte) {
		receipts, err := DecodeReceipts(uint(version), list)
		if err != nil {
			return
		}
		items := make([]rlp.RawValue, len(receipts))
		for i, r := range receipts {
			if items[i], err = EncodeReceipt(uint(version), r); err != nil {
				t.Fatal(err)
			}
		}
		again, err := rlp.EncodeToBytes(items)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := DecodeReceipts(uint(version), again); err != nil || version >= 69 && !bytes.Equal(again, list) {
			t.Fatalf("%x became %x, %v", list, again, err)
		}
	})
}

// FuzzReadTransaction feeds transactions to what finds their hashes. One that go-ethereum can decode must have the same hash,
// type and size there.
func FuzzReadTransaction(f *testing.F) {
	for _, tx := range []*types.Transaction{legacyTx(1), testTx(2, 5)} {
		f.Add([]byte(encode(f, tx)))
	}
	f.Add(unhex("8903c7c3010203c0c0c0"))
	f.Add(unhex("8503c3010203"))
	f.Fuzz(func(t *testing.T, raw []byte) {
		got, err := ReadTransaction(raw)
		if err != nil {
			return
		}
		if tx, err := got.Decode(); err == nil && (tx.Hash() != got.Hash || tx.Type() != got.Type || tx.Size() != got.Size) {
			t.Fatalf("%x: %+v, go-ethereum says %v, %d, %d bytes", raw, got.TxInfo, tx.Hash(), tx.Type(), tx.Size())
		}
	})
}

// FuzzForkID feeds fork ids, as they are in Status and in node records, to the decoders and the check.
func FuzzForkID(f *testing.F) {
	f.Add(unhex("c6840000000080"), uint64(0), uint64(0))
	f.Add(unhex("ca84deadbeef84baddcafe"), uint64(20000000), uint64(1700000000))
	f.Fuzz(func(t *testing.T, b []byte, number, time uint64) {
		var entry enrEntry
		_ = rlp.DecodeBytes(b, &entry)
		id, _, err := splitForkID(b)
		if err != nil {
			return
		}
		_ = mainnet.CheckForkID(id, number, time)
		if ours := mainnet.ForkIDAt(number, time); mainnet.CheckForkID(ours, number, time) != nil {
			t.Fatalf("at block %d, time %d we refuse ourselves: %v", number, time, ours)
		}
	})
}

// nowhere is a link whose messages go nowhere.
type nowhere struct{}

func (nowhere) ReadMsg() (p2p.Msg, error) { select {} }
func (nowhere) WriteMsg(m p2p.Msg) error  { return m.Discard() }

// FuzzHandle feeds a sequence of messages to a peer that has finished the handshake. Each is two bytes of code and length,
// and then so many bytes.
func FuzzHandle(f *testing.F) {
	for _, v := range vectors {
		payload := unhex(v.payload)
		if len(payload) < 256 {
			f.Add(byte(v.version), append([]byte{byte(v.m.Code()), byte(len(payload))}, payload...))
		}
	}
	chain := newMemChain(f, 20)
	f.Fuzz(func(t *testing.T, version byte, messages []byte) {
		if Length(uint(version)) == 0 {
			return
		}
		h := newHandler(t, Config{Backend: chain, Pool: newMemChain(t, 0)})
		defer h.Close()
		sub := h.Subscribe(0)
		defer sub.Close()
		p := newPeer(h, uint(version), p2p.NewPeer(enode.ID{1}, "fuzz", nil), nowhere{})
		if !h.enter(p) {
			t.Fatal("the handler is closed")
		}
		_ = p.post(&GetBlockHeaders{}, 2, func(Message, error) {})
		_ = p.post(&GetByHash{For: CodeGetBlockBodies, Hashes: []common.Hash{one}}, 1, func(Message, error) {})
		for len(messages) >= 2 {
			code, n := uint64(messages[0]), min(int(messages[1]), len(messages)-2)
			payload := messages[2 : 2+n]
			messages = messages[2+n:]
			if p.handle(p2p.Msg{Code: code, Size: uint32(n), Payload: bytes.NewReader(payload), ReceivedAt: time.Unix(1, 0)}) != nil {
				break
			}
		}
		_ = p.end(nil)
		h.leave(p)
	})
}
