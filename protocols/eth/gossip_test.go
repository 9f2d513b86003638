package eth

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

func mustTx(t testing.TB, tx *types.Transaction) Transaction {
	t.Helper()
	out, err := NewTransaction(tx)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestTransactionsAreReadWithHashTypeAndSize(t *testing.T) {
	for _, tx := range []*types.Transaction{legacyTx(1), testTx(2, 0), testTx(3, 300)} {
		got := mustTx(t, tx)
		if got.Hash != tx.Hash() || got.Type != tx.Type() || got.Size != tx.Size() {
			t.Errorf("%+v, want %v of %d bytes", got.TxInfo, tx.Hash(), tx.Size())
		}
		back, err := got.Decode()
		if err != nil || back.Hash() != tx.Hash() {
			t.Errorf("%v, %v", back, err)
		}
	}
	for _, bad := range []string{"", "80", "01", "00", "8101", "8200c0", "8280c0", "c0c0", "b8"} {
		if tx, err := ReadTransaction(unhex(bad)); err == nil {
			t.Errorf("%s is %+v", bad, tx)
		}
	}
}

func TestABlobTransactionHasTheHashOfWhatIsInsideItsSidecar(t *testing.T) {
	inner := unhex("c3010203")
	bare := append(append([]byte{0x85}, 3), inner...)
	wrapped := append([]byte{0x89, 3}, unhex("c7c3010203c0c0c0")...)
	a, err := ReadTransaction(bare)
	if err != nil {
		t.Fatal(err)
	}
	b, err := ReadTransaction(wrapped)
	if err != nil {
		t.Fatal(err)
	}
	if want := hashOf([]byte{3}, inner); a.Hash != want || b.Hash != want || b.Size != 9 {
		t.Errorf("%+v and %+v", a, b)
	}
}

// pooled answers the next request for transactions.
func pooled(f *far, txs ...Transaction) *GetByHash {
	f.t.Helper()
	q := expect[*GetByHash](f)
	m := &Items{For: CodePooledTransactions, ID: q.ID}
	for _, tx := range txs {
		m.Items = append(m.Items, tx.Raw)
	}
	f.send(m)
	return q
}

func TestAnnouncedTransactionsAreFetchedAfterAMomentFromOneAnnouncerAtATime(t *testing.T) {
	chain := newMemChain(t, 3)
	tx, never := mustTx(t, testTx(1, 0)), TxInfo{Hash: one, Type: 2, Size: 100}
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, Config{Backend: chain, Pool: chain})
		a := dialFar(t, h, 69, 1).shake(chain)
		b := dialFar(t, h, 69, 2).shake(chain)
		synctest.Wait()
		begin := time.Now()
		a.send(&Announcement{Txs: []TxInfo{tx.TxInfo, never}})
		time.Sleep(time.Millisecond) // of the bubble: a's turn comes first
		b.send(&Announcement{Txs: []TxInfo{tx.TxInfo, never}})
		q := expect[*GetByHash](a)
		if took := time.Since(begin); took != wantDelay || len(q.Hashes) != 2 || q.Hashes[0] != tx.Hash {
			t.Errorf("after %v: %+v", took, q)
		}
		q = expect[*GetByHash](b) // a has not answered
		if took := time.Since(begin); took < wantDelay+fetchTimeout || took > wantDelay+fetchTimeout+time.Second || len(q.Hashes) != 2 {
			t.Errorf("after %v: %+v", took, q)
		}
		b.send(&Items{For: CodePooledTransactions, ID: q.ID, Items: []rlp.RawValue{tx.Raw}})
		synctest.Wait()
		if !chain.Has(tx.Hash) {
			t.Error("the transaction has not come")
		}
		h.Close()
	})
}

func TestAnAnnouncerThatDoesNotReadDoesNotKeepOthersFromBeingAsked(t *testing.T) {
	chain := newMemChain(t, 3)
	tx := mustTx(t, testTx(1, 0))
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, Config{Backend: chain, Pool: chain})
		a := dialFar(t, h, 69, 1).shake(chain)
		b := dialFar(t, h, 69, 2).shake(chain)
		synctest.Wait()
		begin := time.Now()
		a.send(&Announcement{Txs: []TxInfo{tx.TxInfo}}) // and does not read the request
		time.Sleep(time.Millisecond)
		b.send(&Announcement{Txs: []TxInfo{tx.TxInfo}})
		pooled(b, tx)
		if took := time.Since(begin); took < wantDelay+fetchTimeout || took > wantDelay+fetchTimeout+time.Second {
			t.Errorf("the other was asked after %v", took)
		}
		synctest.Wait()
		if !chain.Has(tx.Hash) {
			t.Error("the transaction has not come")
		}
		h.Close()
	})
}

func TestWhoDeliversSomethingElseThanAnnouncedIsDropped(t *testing.T) {
	tx := mustTx(t, testTx(1, 100))
	blob, err := ReadTransaction(unhex("8503c3010203"))
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name      string
		announced TxInfo
		delivered Transaction
		want      string // "": it is kept
	}{
		{"as announced", tx.TxInfo, tx, ""},
		{"eight bytes more", TxInfo{tx.Hash, 2, tx.Size + 8}, tx, ""},
		{"nine bytes more", TxInfo{tx.Hash, 2, tx.Size + 9}, tx, "bytes, announced as"},
		{"nine bytes less", TxInfo{tx.Hash, 2, tx.Size - 9}, tx, "bytes, announced as"},
		{"announced without a size", TxInfo{tx.Hash, 2, 0}, tx, "bytes, announced as 0"},
		{"another type", TxInfo{tx.Hash, 1, tx.Size}, tx, "of type 2, announced as 1"},
		{"another transaction", TxInfo{one, 2, tx.Size}, tx, "was not asked for"},
		{"no blob transaction", blob.TxInfo, blob, "rlp: "},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			chain := newMemChain(t, 1)
			h := newHandler(t, Config{Backend: chain, Pool: chain})
			f := dialFar(t, h, 71, 1).shake(chain)
			f.send(&Announcement{Txs: []TxInfo{tt.announced}})
			pooled(f, tt.delivered)
			if tt.want != "" {
				if err := <-f.done; err == nil || !strings.Contains(err.Error(), tt.want) {
					t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
				}
			} else if synctest.Wait(); !chain.Has(tx.Hash) {
				t.Errorf("%s: the transaction has not come", tt.name)
			}
			h.Close()
		})
	}
}

func TestNewTransactionsGoToTheSquareRootOfThePeersAndAreAnnouncedToTheRest(t *testing.T) {
	chain := newMemChain(t, 1)
	pool := newMemChain(t, 1)
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, Config{Backend: chain, Pool: pool})
		var peers []*far
		for i := range 10 {
			peers = append(peers, dialFar(t, h, 70, byte(i+1)).shake(chain))
		}
		synctest.Wait()
		small, large := mustTx(t, testTx(1, 0)), mustTx(t, testTx(2, maxDirect))
		peers[0].send(&Transactions{Txs: []rlp.RawValue{small.Raw, large.Raw, small.Raw[:0:0]}[:2]})
		full, announced := make(map[common.Hash]int), make(map[common.Hash]int)
		for _, f := range peers[1:] {
			for got := 0; got < 2; {
				msg, err := f.rw.ReadMsg()
				if err != nil {
					t.Fatal(err)
				}
				payload, err := io.ReadAll(msg.Payload)
				if err != nil {
					t.Fatal(err)
				}
				m, err := Decode(70, msg.Code, payload)
				if err != nil {
					t.Fatal(err)
				}
				switch m := m.(type) {
				case *Transactions:
					for _, raw := range m.Txs {
						tx, err := ReadTransaction(raw)
						if err != nil {
							t.Fatal(err)
						}
						full[tx.Hash]++
						got++
					}
				case *Announcement:
					for _, tx := range m.Txs {
						announced[tx.Hash]++
						got++
					}
				}
			}
		}
		if full[small.Hash] != 4 || announced[small.Hash] != 5 || full[large.Hash] != 0 || announced[large.Hash] != 9 {
			t.Errorf("in full %v, announced %v", full, announced)
		}
		// Nobody is told again, not by another peer's message and not by ours.
		peers[1].send(&Transactions{Txs: []rlp.RawValue{small.Raw}})
		h.relay([]Transaction{small, large}, nil)
		synctest.Wait()
		for i, f := range peers {
			go f.rw.Close()
			if msg, err := f.rw.ReadMsg(); err == nil {
				t.Errorf("peer %d: %v", i, msg)
			}
		}
		h.Close()
	})
}

func TestPendingTransactionsWithoutBlobsAreAnnouncedToANewPeer(t *testing.T) {
	chain := newMemChain(t, 1)
	tx := mustTx(t, testTx(1, 0))
	chain.Add([]Transaction{tx, {TxInfo: TxInfo{Hash: one, Type: types.BlobTxType, Size: 1 << 17}}})
	f := dialFar(t, newHandler(t, Config{Backend: chain, Pool: chain}), 72, 1).shake(chain)
	if m := expect[*Announcement](f); len(m.Txs) != 1 || m.Txs[0] != tx.TxInfo || m.Mask != (CellMask{}) {
		t.Errorf("%+v", m)
	}
}

func TestAPeerOfOldGetsLegacyTransactionsInFullAndNoAnnouncements(t *testing.T) {
	chain := newMemChain(t, 1)
	h := newHandler(t, Config{Backend: chain})
	_, f := near(t, h, chain, 63, 1)
	old := legacyTx(9)
	if err := h.Broadcast(testTx(1, 0), old); err != nil {
		t.Fatal(err)
	}
	if m := expect[*Transactions](f); len(m.Txs) != 1 || !bytes.Equal(m.Txs[0], mustTx(t, old).Raw) {
		t.Errorf("%+v", m)
	}
}

func TestBlocksAreAnnouncedToOldPeersAndRangesToNewOnes(t *testing.T) {
	chain := newMemChain(t, 9)
	h := newHandler(t, Config{Backend: chain})
	_, old := near(t, h, chain, 68, 1)
	_, young := near(t, h, chain, 69, 2)
	block := &NewBlock{Block: encode(t, []rlp.RawValue{chain.headers[chain.hashes[9]], {0xc0}, {0xc0}}), TD: chain.Head().TD}
	if err := h.BroadcastBlock(block); err != nil {
		t.Fatal(err)
	}
	h.AnnounceBlocks(BlockInfo{one, 7})
	h.UpdateRange()
	if m := expect[*NewBlock](old); !bytes.Equal(m.Block, block.Block) || m.TD.Cmp(block.TD) != 0 {
		t.Errorf("%+v", m)
	}
	if m := expect[*NewBlockHashes](old); len(m.Blocks) != 1 || m.Blocks[0] != (BlockInfo{one, 7}) {
		t.Errorf("%+v", m)
	}
	if m := expect[*BlockRange](young); *m != (BlockRange{0, 9, chain.hashes[9]}) {
		t.Errorf("%+v", m)
	}
	if err := h.BroadcastBlock(&NewBlock{Block: unhex("c3c0c0c0")}); err == nil {
		t.Error("a block without a header was sent")
	}
}

func TestWhatWaitsForAPeerThatDoesNotReadIsBounded(t *testing.T) {
	chain := newMemChain(t, 9)
	h := newHandler(t, Config{Backend: chain})
	p, f := near(t, h, chain, 68, 1)
	infos := make([]TxInfo, 1000)
	tx := mustTx(t, testTx(1, 4000))
	block := &NewBlock{Block: encode(t, []rlp.RawValue{chain.headers[chain.hashes[9]], {0xc0}, {0xc0}})}
	for range 1000 {
		p.announce(infos)
		p.give(tx)
		h.AnnounceBlocks(BlockInfo{one, 7})
		if err := h.BroadcastBlock(block); err != nil {
			t.Fatal(err)
		}
	}
	p.mu.Lock()
	o := p.out
	p.mu.Unlock()
	if len(o.infos) > maxQueuedInfos || o.txBytes > maxQueuedTx || len(o.txs)*len(tx.Raw) != o.txBytes || len(o.hashes) > maxQueuedHashes || len(o.blocks) > maxQueuedBlocks {
		t.Errorf("%d announcements, %d bytes of transactions, %d hashes, %d blocks", len(o.infos), o.txBytes, len(o.hashes), len(o.blocks))
	}
	s := h.Stats()
	if s.DroppedInfos < 1000*1000-maxQueuedInfos-10_000 || s.DroppedTxs == 0 || s.DroppedBlocks == 0 {
		t.Errorf("%+v", s)
	}
	f.rw.Close()
	if err := f.end(); err == nil {
		t.Error("no error")
	}
	h.Close()
}

func TestAPeerThatAsksWithoutReadingAnswersIsNotReadFurther(t *testing.T) {
	chain := newMemChain(t, 9)
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, Config{Backend: chain})
		p, f := near(t, h, chain, 69, 1)
		payload, err := Encode(69, &GetByHash{For: CodeGetBlockBodies, Hashes: make([]common.Hash, 1000)})
		if err != nil {
			t.Fatal(err)
		}
		sent, stopped := 0, make(chan struct{})
		go func() {
			defer close(stopped)
			for f.sendRaw(CodeGetBlockBodies, payload) == nil {
				sent++
			}
		}()
		synctest.Wait()
		p.mu.Lock()
		bytes := p.out.bytes
		p.mu.Unlock()
		if bytes > maxWorkBytes || bytes < maxWorkBytes-2*len(payload) {
			t.Errorf("%d bytes of requests wait", bytes)
		}
		if most := maxWorkBytes/len(payload) + 3; sent > most {
			t.Errorf("%d requests were read, more than %d", sent, most)
		}
		f.rw.Close()
		<-stopped
		if err := <-f.done; err == nil {
			t.Error("no error")
		}
		h.Close()
	})
}

func TestASlowSubscriberLosesEventsAndHoldsUpNobody(t *testing.T) {
	chain := newMemChain(t, 9)
	h := newHandler(t, Config{Backend: chain})
	slow := h.Subscribe(2000)
	fast := h.Subscribe(0)
	f := dialFar(t, h, 71, 1).shake(chain)
	for i := range 100 {
		f.send(&Announcement{Txs: []TxInfo{{Hash: common.Hash{byte(i)}, Type: 2, Size: 100}, {Hash: one, Type: 1, Size: 50}}})
	}
	for i := range 100 {
		e := await[*TransactionsSeen](t, fast)
		if len(e.Txs) != 2 || !e.Txs[0].First || e.Txs[1].First != (i == 0) || e.Txs[0].Hash != (common.Hash{byte(i)}) || e.Full || e.At.IsZero() {
			t.Fatalf("event %d: %+v", i, e)
		}
	}
	if first, ok := h.FirstSeen(one); !ok || first.Peer != (await[*PeerJoined](t, slow).Peer.ID()) {
		t.Errorf("%+v, %v", first, ok)
	}
	if _, ok := h.FirstSeen(deadc0de); ok {
		t.Error("a hash that nobody has named was seen")
	}
	if slow.bytes > slow.limit || slow.Lost() < 2*80 || fast.Lost() != 0 {
		t.Errorf("%d bytes wait, %d and %d records are lost", slow.bytes, slow.Lost(), fast.Lost())
	}
	// What waits and what is lost are all that was said, and where something is missing it says so.
	var seen, missing uint64
	for e, ok := slow.take(); ok; e, ok = slow.take() {
		if lost, ok := e.(*EventsLost); ok {
			missing += lost.Count
			for r := range Records(e) {
				text, err := json.Marshal(r)
				at, _ := json.Marshal(lost.At)
				if want := fmt.Sprintf(`{"event":"lost","at":%s,"lost":%d}`, at, lost.Count); err != nil || string(text) != want {
					t.Errorf("the record is %s, %v; want %s", text, err, want)
				}
			}
			if lost.Count == 0 || lost.At.IsZero() {
				t.Errorf("%+v", lost)
			}
		} else if e, ok := e.(*TransactionsSeen); ok {
			seen += uint64(len(e.Txs))
		}
	}
	if missing != slow.Lost() || seen+missing != 2*100 {
		t.Errorf("%d transactions came, %d are told to be missing, %d are", seen, missing, slow.Lost())
	}
	slow.Close()
	slow.Close()
	if _, err := slow.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	f.rw.Close()
	if e := await[*PeerLeft](t, fast); e.Err == nil {
		t.Error("the peer has left without an error")
	}
	h.Close()
	if _, err := fast.Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
	if _, err := h.Subscribe(0).Next(t.Context()); !errors.Is(err, ErrClosed) {
		t.Error(err)
	}
}

func TestWhatIsKnownIsBoundedAndForgetsLittle(t *testing.T) {
	h := newHandler(t, Config{Backend: NewObserver(mainnet)})
	k := known{seed: h.seed}
	hash := func(i int) common.Hash { return common.Hash{byte(i), byte(i >> 8), byte(i >> 16)} }
	if k.has(one) {
		t.Error("it knows something")
	}
	for i := range 10_000 {
		k.add(hash(i))
	}
	missing := 0
	for i := range 10_000 {
		if !k.has(hash(i)) {
			missing++
		}
	}
	if missing > 300 {
		t.Errorf("%d of 10000 are forgotten", missing)
	}
	for i := range 1_000_000 {
		k.add(hash(i))
	}
	if len(k.slots) != maxKnown {
		t.Errorf("%d slots", len(k.slots))
	}
	missing = 0
	for i := range 1000 {
		if !k.has(hash(1_000_000 - 1 - i)) {
			missing++
		}
		if k.has(hash(2_000_000 + i)) {
			t.Errorf("%d is known", i)
		}
	}
	if missing > 100 {
		t.Errorf("%d of the last 1000 are forgotten", missing)
	}
}

func TestClosingEndsTheLinks(t *testing.T) {
	chain := newMemChain(t, 1)
	h := newHandler(t, Config{Backend: chain})
	_, f := near(t, h, chain, 69, 1)
	h.Close()
	if err := f.end(); !errors.Is(err, errClosing) {
		t.Error(err)
	}
	if err := dialFar(t, h, 69, 2).end(); err == nil {
		t.Error("a closed handler has taken a peer")
	}
	h.Close()
}

func TestANodeOnAnyChainSaysWhatThePeerSays(t *testing.T) {
	chain := newMemChain(t, 5)
	h := newHandler(t, Config{AnyChain: true})
	sub := h.Subscribe(0)
	f := dialFar(t, h, 70, 1)
	want := f.status(chain)
	f.send(want)
	s := expect[*Status](f)
	if s.NetworkID != want.NetworkID || s.Genesis != want.Genesis || s.ForkID != want.ForkID || s.Latest != 0 || s.Head != want.Genesis {
		t.Errorf("%+v", s)
	}
	if p := await[*PeerJoined](t, sub).Peer; p.Head().Number != 5 {
		t.Errorf("%+v", p.Head())
	}
	for _, cfg := range []Config{{}, {AnyChain: true, Backend: chain}, {Backend: chain, Versions: []uint{67}}} {
		if _, err := New(cfg); err == nil {
			t.Errorf("%+v passed", cfg)
		}
	}
}
