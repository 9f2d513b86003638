package eth

import (
	"bytes"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

// announcement is the payload of one with n transactions.
func announcement(tb testing.TB, version uint, n int) []byte {
	tb.Helper()
	m := &Announcement{Txs: make([]TxInfo, n)}
	for i := range m.Txs {
		m.Txs[i] = TxInfo{common.Hash{byte(i), byte(i >> 8), 7}, 2, uint64(100 + i)}
	}
	payload, err := Encode(version, m)
	if err != nil {
		tb.Fatal(err)
	}
	return payload
}

func TestAnnouncementsAreDecodedWithoutAnAllocationPerHash(t *testing.T) {
	for _, n := range []int{1, 4096} {
		payload := announcement(t, 72, n)
		if got := testing.AllocsPerRun(100, func() {
			if _, err := Decode(72, CodeAnnouncement, payload); err != nil {
				t.Fatal(err)
			}
		}); got > 2 { // the message and its list
			t.Errorf("%d hashes: %v allocations", n, got)
		}
		var m Announcement
		if got := testing.AllocsPerRun(100, func() {
			if err := decodeInto(&m, 72, payload); err != nil {
				t.Fatal(err)
			}
		}); got > 0 {
			t.Errorf("%d hashes into a message that has been used before: %v allocations", n, got)
		}
	}
}

// deaf is a peer that is not linked to anything.
func deaf(tb testing.TB, h *Handler, version uint) *Peer {
	return newPeer(h, version, p2p.NewPeer(enode.ID{1}, "test", nil), nowhere{})
}

func TestAnnouncementsThatNobodyWantsCostNoAllocation(t *testing.T) {
	p := deaf(t, newHandler(t, Config{Backend: NewObserver(mainnet)}), 71)
	payload := announcement(t, 71, 4096)
	hear := func() {
		if err := decodeInto(&p.news, 71, payload); err != nil {
			t.Fatal(err)
		}
		p.heardOf(&p.news, time.Time{})
	}
	for range 10 {
		hear()
	}
	if got := testing.AllocsPerRun(100, hear); got > 0 {
		t.Errorf("%v allocations", got)
	}
}

// heapOf is how many bytes f leaves on the heap.
func heapOf(f func() any) int {
	var before, after runtime.MemStats
	runtime.GC()
	runtime.GC() // what is in pools survives the first
	runtime.ReadMemStats(&before)
	kept := f()
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&after)
	runtime.KeepAlive(kept)
	return int(after.HeapAlloc) - int(before.HeapAlloc)
}

func TestAFloodOfAnnouncementsStaysWithinTheBudget(t *testing.T) {
	const budget = 1 << 20 // of one peer: what is known to it, what is wanted from it, the last message
	chain := newMemChain(t, 1)
	payload := announcement(t, 71, 200_000)
	got := heapOf(func() any {
		p := deaf(t, newHandler(t, Config{Backend: chain, Pool: newMemChain(t, 1)}), 71)
		for i := range 1000 {
			m := &Announcement{Txs: make([]TxInfo, 1000)}
			for j := range m.Txs {
				m.Txs[j] = TxInfo{common.Hash{byte(i), byte(i >> 8), byte(j), byte(j >> 8)}, 2, 200}
			}
			p.heardOf(m, time.Now())
		}
		// The largest message that there can be leaves nothing behind.
		if err := p.handle(p2p.Msg{Code: CodeAnnouncement, Size: uint32(len(payload)), Payload: bytes.NewReader(payload)}); err != nil {
			t.Fatal(err)
		}
		return p
	})
	if got > budget {
		t.Errorf("a million announcements have left %d bytes, the budget is %d", got, budget)
	}
	t.Logf("%d bytes", got)
}

func TestWhatIsRememberedOfFirstSightsStaysWithinTheBudget(t *testing.T) {
	const budget = 16 << 20 // of a handler with subscriptions
	got := heapOf(func() any {
		h := newHandler(t, Config{Backend: NewObserver(mainnet)})
		sub := h.Subscribe(1 << 20)
		p := deaf(t, h, 71)
		txs := make([]TxInfo, 1000)
		for i := range 1000 {
			for j := range txs {
				txs[j] = TxInfo{common.Hash{byte(i), byte(i >> 8), byte(j), byte(j >> 8)}, 2, 200}
			}
			h.feed.sendTxs(p, time.Now(), false, txs)
		}
		return sub
	})
	if got > budget {
		t.Errorf("a million transactions have left %d bytes, the budget is %d", got, budget)
	}
	t.Logf("%d bytes", got)
}

func TestAMessageOfTinyItemsTakesNoMoreThanItsBudget(t *testing.T) {
	// 10 MiB of one-byte items would be 240 MiB of slices if they were counted after they are allocated.
	big, err := rlp.EncodeToBytes([]any{uint64(1), rlp.RawValue(listOf(MaxMessage-20, "c0"))})
	if err != nil {
		t.Fatal(err)
	}
	for _, code := range []uint64{CodeBlockHeaders, CodePooledTransactions, CodeReceipts, CodeBlockAccessLists} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := Decode(69+2, code, big)
		runtime.ReadMemStats(&after)
		if err == nil {
			t.Errorf("%s: it passed", CodeName(code))
		}
		if got := after.TotalAlloc - before.TotalAlloc; got > 64<<10 {
			t.Errorf("%s: %d bytes allocated", CodeName(code), got)
		}
	}
}

func BenchmarkDecodeAnnouncement(b *testing.B) {
	for _, n := range []int{1, 256, 4096} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			payload := announcement(b, 71, n)
			b.SetBytes(int64(len(payload)))
			b.ReportAllocs()
			var m Announcement
			for b.Loop() {
				if err := decodeInto(&m, 71, payload); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkHearAnnouncement(b *testing.B) {
	p := deaf(b, newHandler(b, Config{Backend: NewObserver(mainnet)}), 71)
	payload := announcement(b, 71, 4096)
	b.ReportAllocs()
	for b.Loop() {
		if err := decodeInto(&p.news, 71, payload); err != nil {
			b.Fatal(err)
		}
		p.heardOf(&p.news, time.Time{})
	}
}

func BenchmarkReadTransaction(b *testing.B) {
	tx := mustTx(b, testTx(1, 100))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ReadTransaction(tx.Raw); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkHeadersOverALink(b *testing.B) {
	chain := newMemChain(b, 2000)
	x := startNode(b, Config{Backend: NewObserver(chain.config), Versions: []uint{69}})
	y := startNode(b, Config{Backend: chain, Versions: []uint{69}})
	p, _ := connect(b, x, y)
	headers := 0
	for b.Loop() {
		list, err := p.byRange(b.Context(), HeadersQuery{Start: Start{Number: 1}, Amount: MaxHeaders})
		if err != nil || len(list) != MaxHeaders {
			b.Fatal(len(list), err)
		}
		headers += len(list)
	}
	b.ReportMetric(float64(headers)/b.Elapsed().Seconds(), "headers/s")
}
