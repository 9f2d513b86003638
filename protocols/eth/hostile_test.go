package eth

import (
	"bytes"
	"errors"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
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

// slowChain takes a while for each header.
type slowChain struct{ *memChain }

func (c slowChain) Header(hash common.Hash) rlp.RawValue {
	time.Sleep(time.Second)
	return c.memChain.Header(hash)
}

func TestWhoAsksWithoutEndHasToAnswerInTimeNevertheless(t *testing.T) {
	chain := newMemChain(t, 1)
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, Config{Backend: slowChain{chain}})
		p, f := near(t, h, chain, 69, 1)
		if err := p.post(&GetBlockHeaders{}, 1, func(Message, error) {}); err != nil {
			t.Fatal(err)
		}
		begin := time.Now()
		go func() {
			payload, err := Encode(69, &GetBlockHeaders{Query: HeadersQuery{Amount: 1}})
			for range 2 * answerTimeout / time.Second {
				if err == nil {
					err = f.sendRaw(CodeGetBlockHeaders, payload)
				}
			}
		}()
		go func() {
			for msg, err := f.rw.ReadMsg(); err == nil; msg, err = f.rw.ReadMsg() {
				_ = msg.Discard()
			}
		}()
		if err := <-f.done; !errors.Is(err, errNoAnswer) || time.Since(begin) > answerTimeout+2*time.Second {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		h.Close()
	})
}

func TestLookingForWhatIsDueCostsNothingWhileNothingIs(t *testing.T) {
	now := time.Now()
	var w wants
	for range maxWants {
		w.list = append(w.list, want{TxInfo{Hash: one, Size: 1 << 20}, now.Add(time.Second)})
	}
	if got := testing.AllocsPerRun(10, func() {
		if due, next := w.take(now); len(due) != 0 || next != time.Second {
			t.Fatalf("%d due, next %v", len(due), next)
		}
	}); got > 0 {
		t.Errorf("%v allocations", got)
	}
	// Many of which there is nothing to ask for are gone through at once, whatever size they are said to have.
	chain := newMemChain(t, 1)
	tx := mustTx(t, testTx(1, 0))
	chain.Add([]Transaction{tx})
	p := deaf(t, newHandler(t, Config{Backend: chain, Pool: chain}), 69)
	infos := make([]TxInfo, maxWants)
	for i := range infos {
		infos[i] = TxInfo{tx.Hash, 2, 1 << 63}
	}
	p.want(infos, now)
	if next := p.fetch(now.Add(wantDelay)); len(p.wants.list) != 0 || next < wantDelay {
		t.Errorf("%d are left to look at in %v", len(p.wants.list), next)
	}
}

func TestReceiptsInPartsWithoutEndAreGivenUp(t *testing.T) {
	chain := newMemChain(t, 1)
	p, f := near(t, newHandler(t, Config{Backend: chain}), chain, 70, 1)
	done := request(func() ([][]*types.Receipt, error) { return p.Receipts(t.Context(), []common.Hash{one}) })
	large := encodeReceipts(t, 70, []*types.Receipt{{Status: 1, Logs: []*types.Log{{Data: make([]byte, 9<<20)}}}})
	const most = maxReceiptsBytes/(9<<20) + 1
	for range most {
		q := expect[*GetReceipts](f)
		f.send(&Receipts{ID: q.ID, LastIncomplete: true, Lists: []rlp.RawValue{large}})
	}
	go func() {
		defer f.rw.Close() // it has asked again
		_, _ = f.rw.ReadMsg()
	}()
	if a := <-done; !errors.Is(a.err, ErrBadAnswer) || !strings.Contains(a.err.Error(), "more than 67108864 bytes") {
		t.Errorf("after %d parts of 9 MiB: %v", most, a.err)
	}
}

func TestABodyOfMoreTransactionsThanAnyBlockHasIsNotDecoded(t *testing.T) {
	chain := newMemChain(t, 1)
	p, f := near(t, newHandler(t, Config{Backend: chain}), chain, 70, 1)
	done := request(func() ([]*types.Body, error) { return p.Bodies(t.Context(), chain.hashes[:2]) })
	q := expect[*GetByHash](f)
	many := encode(t, []rlp.RawValue{inList(bytes.Repeat([]byte{0xc0}, maxAllTxs+1)), {0xc0}})
	f.send(&Items{For: CodeBlockBodies, ID: q.ID, Items: []rlp.RawValue{chain.bodies[chain.hashes[1]], many}})
	if a := <-done; !errors.Is(a.err, ErrBadAnswer) || !strings.Contains(a.err.Error(), "body 1: more than 131072 transactions") {
		t.Errorf("%d bodies, %v", len(a.got), a.err)
	}
}

// fragile is a backend and a pool with a fault.
type fragile struct{ *memChain }

func (fragile) Header(common.Hash) rlp.RawValue { panic("a fault") }
func (fragile) Add([]Transaction) []Verdict     { panic("a fault") }

func TestAPanicInABackendEndsThePeerAndNothingElse(t *testing.T) {
	chain := newMemChain(t, 1)
	h := newHandler(t, Config{Backend: fragile{chain}})
	f := dialFar(t, h, 69, 1).shake(chain)
	f.send(&GetBlockHeaders{Query: HeadersQuery{Amount: 1}})
	err := f.end()
	if !errors.Is(err, errPanicked) || !strings.Contains(err.Error(), "a fault") {
		t.Errorf("the link ended with %v", err)
	}
	h.Close()
}

func TestAPanicInAPoolLeavesNothingRunning(t *testing.T) {
	chain := newMemChain(t, 1)
	h := newHandler(t, Config{Backend: chain, Pool: fragile{chain}})
	p := deaf(t, h, 69)
	p.rw = &script{msgs: []p2p.Msg{p.message(&Status{
		Version: 69, NetworkID: 1337, Genesis: chain.config.Genesis, ForkID: h.forkID(), Head: one, Latest: 1,
	}), p.message(&Transactions{Txs: []rlp.RawValue{mustTx(t, testTx(1, 0)).Raw}})}}
	func() {
		defer func() {
			if recover() == nil {
				t.Error("the server does not hear of the panic")
			}
		}()
		_ = p.run()
	}()
	if len(h.Peers()) != 0 {
		t.Error("the peer is still there")
	}
	h.Close() // waits for what runs
}

// script is a link on which messages come, and nobody minds what goes.
type script struct{ msgs []p2p.Msg }

func (s *script) WriteMsg(msg p2p.Msg) error { return msg.Discard() }
func (s *script) ReadMsg() (p2p.Msg, error) {
	if len(s.msgs) == 0 {
		return p2p.Msg{}, p2p.ErrPipeClosed
	}
	msg := s.msgs[0]
	s.msgs = s.msgs[1:]
	return msg, nil
}

func TestWhoDeliversABlobTransactionThatIsWrongIsToldWhatItIs(t *testing.T) {
	chain := newMemChain(t, 3)
	good := blobTx(t, poolKey(t, 1), 1, 10, types.BlobSidecarVersion1, 1)
	full, err := good.Decode()
	if err != nil {
		t.Fatal(err)
	}
	naked := mustTx(t, full.WithoutBlobTxSidecar())
	for _, tt := range []struct {
		name string
		bad  Transaction
		want p2p.DiscReason
	}{
		{"proofs that do not hold", mangle(t, good, func(s *types.BlobTxSidecar) { s.Blobs[0][5]++ }), p2p.DiscUselessPeer},
		{"another commitment", mangle(t, good, func(s *types.BlobTxSidecar) { s.Commitments[0][1]++ }), p2p.DiscSubprotocolError},
		{"no sidecar", naked, p2p.DiscSubprotocolError},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := startNode(t, Config{Backend: liar{chain, tt.bad}, Versions: []uint{71}})
			b, pool := startPooled(t, chain, 71)
			dropped := make(chan *p2p.PeerEvent, 9)
			defer a.SubscribeEvents(dropped).Unsubscribe()
			connect(t, b, a)
			bad, err := tt.bad.Decode()
			if err != nil {
				t.Fatal(err)
			}
			if err := a.h.Broadcast(bad); err != nil {
				t.Fatal(err)
			}
			if left := await[*PeerLeft](t, b.sub); !errors.Is(left.Err, ErrSidecar) || !errors.Is(left.Err, ErrBadAnswer) {
				t.Errorf("the peer left with %v", left.Err)
			}
			e := <-dropped
			for e.Type != p2p.PeerEventTypeDrop {
				e = <-dropped
			}
			if e.Error != tt.want.Error() {
				t.Errorf("the peer is told %q, want %q", e.Error, tt.want)
			}
			if pool.Has(good.Hash) {
				t.Error("the transaction is refused for good, or kept")
			}
		})
	}
}

func TestEventsOfTheLargestMessageStayWithinWhatMayWait(t *testing.T) {
	const limit = 1 << 20
	h := newHandler(t, Config{Backend: NewObserver(mainnet)})
	sub := h.Subscribe(limit)
	p := deaf(t, h, 71)
	h.feed.sendTxs(p, time.Now(), false, make([]TxInfo, 200_000))
	h.feed.sendBlocks(p, time.Now(), make([]BlockInfo, 200_000), nil, nil)
	if sub.bytes > limit || sub.bytes < limit/2 || sub.Lost() == 0 {
		t.Errorf("%d bytes of events wait, the limit is %d; %d are lost", sub.bytes, limit, sub.Lost())
	}
	for e, ok := sub.take(); ok; e, ok = sub.take() {
		if e.size() > 300<<10 {
			t.Errorf("an event takes %d bytes", e.size())
		}
	}
}

func TestAMadeUpHeadIsForgottenWhenTheChainGoesOn(t *testing.T) {
	o := NewObserver(mainnet)
	now := uint64(time.Now().Unix())
	h := newHandler(t, Config{Backend: o})
	o.Heard(&types.Header{Number: new(big.Int).SetUint64(1 << 63), Time: now, Difficulty: big.NewInt(0)})
	if best := o.Best(); best.Number != 1<<63 {
		t.Fatalf("%+v", best)
	}
	p := deaf(t, h, 69)
	real := &types.Header{Number: big.NewInt(24_000_000), Time: now + 1, Difficulty: big.NewInt(0)}
	p.setHead(PeerHead{Hash: real.Hash(), Number: real.Number.Uint64()}, true)
	a := p.asked.take(69, CodeBlockHeaders, 1)
	if a == nil {
		t.Fatal("nobody asks for a head with a smaller number")
	}
	a.deliver(&Items{For: CodeBlockHeaders, ID: 1, Items: []rlp.RawValue{encode(t, real)}}, nil)
	if best := o.Best(); best.Hash != real.Hash() || best.Number != 24_000_000 {
		t.Errorf("%+v", best)
	}
}

func TestCellsAreComputedForAFewPeersAtATime(t *testing.T) {
	chain := newMemChain(t, 1)
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, Config{Backend: chain})
		a := dialFar(t, h, 72, 1).shake(chain)
		b := dialFar(t, h, 72, 2).shake(chain)
		for range cap(h.computing) {
			h.computing <- struct{}{}
		}
		begin := time.Now()
		time.AfterFunc(time.Second, func() { <-h.computing })
		a.send(&GetCells{ID: 7, Query: CellsQuery{Hashes: []common.Hash{one}, Mask: CellMask{1}}})
		b.send(&GetBlockHeaders{ID: 8, Query: HeadersQuery{Amount: 1}})
		if m := expect[*Items](b); m.ID != 8 || time.Since(begin) != 0 {
			t.Errorf("headers after %v", time.Since(begin))
		}
		if m := expect[*Cells](a); m.ID != 7 || time.Since(begin) != time.Second || len(h.computing) != cap(h.computing)-1 {
			t.Errorf("cells after %v, %d places of %d are taken", time.Since(begin), len(h.computing), cap(h.computing))
		}
		h.computing <- struct{}{} // one that goes while it waits does not come back for an answer
		a.send(&GetCells{ID: 9})
		synctest.Wait()
		h.Close()
	})
}
