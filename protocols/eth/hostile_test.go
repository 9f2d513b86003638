package eth

import (
	"bytes"
	"math/big"
	"strings"
	"testing"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

func TestARelayedTransactionDoesNotKeepTheMessageThatItCameIn(t *testing.T) {
	chain := newMemChain(t, 1)
	h := newHandler(t, Config{Backend: chain, Pool: chain})
	slow := deaf(t, h, 69)
	h.add(slow)
	tx := mustTx(t, testTx(1, 0))
	message := append(bytes.Clone(tx.Raw), make([]byte, 1<<20)...)
	tx.Raw = message[:len(tx.Raw)]
	h.keep([]Transaction{tx}, nil)
	queued := slow.out.txs
	if len(queued) != 1 || !bytes.Equal(queued[0].Raw, tx.Raw) {
		t.Fatalf("%d transactions are queued", len(queued))
	}
	if &queued[0].Raw[0] == &message[0] {
		t.Errorf("%d bytes are charged to the queue that keeps a message of %d", slow.out.txBytes, len(message))
	}
}

// blockOf is a block of nothing but a header.
func blockOf(t *testing.T, h *types.Header) *NewBlock {
	t.Helper()
	return &NewBlock{Block: encode(t, []rlp.RawValue{encode(t, h), {0xc0}, {0xc0}})}
}

func TestABlockWithALongHeaderIsChargedOrRefused(t *testing.T) {
	chain := newMemChain(t, 1)
	h := newHandler(t, Config{Backend: chain})
	sub := h.Subscribe(1 << 20)
	p := deaf(t, h, 68)
	header := &types.Header{Number: big.NewInt(7), Difficulty: big.NewInt(1), Extra: make([]byte, 90<<10)}
	send := func() error {
		payload, err := Encode(68, blockOf(t, header))
		if err != nil {
			t.Fatal(err)
		}
		return p.handle(p2p.Msg{Code: CodeNewBlock, Size: uint32(len(payload)), Payload: bytes.NewReader(payload)})
	}
	for range 50 {
		if err := send(); err != nil {
			t.Fatal(err)
		}
	}
	kept := 0
	for e, ok := sub.take(); ok; e, ok = sub.take() {
		if b, ok := e.(*BlocksSeen); ok {
			kept += len(b.Header.Extra)
		}
	}
	if kept == 0 || kept > 1<<20 || sub.Lost() == 0 {
		t.Errorf("a queue of 1 MiB holds headers of %d bytes, %d events are lost", kept, sub.Lost())
	}
	header.Extra = make([]byte, 101<<10)
	if err := send(); err == nil || !strings.Contains(err.Error(), "extradata") {
		t.Errorf("a header with 101 KiB of extra data: %v", err)
	}
	header.Extra, header.Number = nil, new(big.Int).Lsh(big.NewInt(1), 64)
	if err := send(); err == nil || !strings.Contains(err.Error(), "number") {
		t.Errorf("a block whose number has 65 bits: %v", err)
	}
}

// other is a peer like that of deaf, with an ID of its own.
func other(tb testing.TB, h *Handler, version uint, id byte) *Peer {
	tb.Helper()
	return newPeer(h, version, p2p.NewPeer(enode.ID{id}, "test", nil), nowhere{})
}
