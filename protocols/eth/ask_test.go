package eth

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

// near links a handler to a far end and returns both ends.
func near(t *testing.T, h *Handler, c *memChain, version uint, id byte) (*Peer, *far) {
	t.Helper()
	sub := h.Subscribe(0)
	defer sub.Close()
	f := dialFar(t, h, version, id).shake(c)
	return await[*PeerJoined](t, sub).Peer, f
}

// asked is what a request has come to.
type asked[T any] struct {
	got T
	err error
}

// request makes a request in a goroutine.
func request[T any](f func() (T, error)) <-chan asked[T] {
	done := make(chan asked[T], 1)
	go func() {
		got, err := f()
		done <- asked[T]{got, err}
	}()
	return done
}

func TestAnswersFindTheirRequestsByID(t *testing.T) {
	chain := newMemChain(t, 30)
	p, f := near(t, newHandler(t, Config{Backend: chain}), chain, 69, 1)
	first := request(func() ([]*types.Header, error) {
		return p.Headers(t.Context(), HeadersQuery{Start: Start{Number: 1}, Amount: 1})
	})
	q1 := expect[*GetBlockHeaders](f)
	second := request(func() ([]*types.Header, error) {
		return p.Headers(t.Context(), HeadersQuery{Start: Start{Number: 2}, Amount: 1})
	})
	q2 := expect[*GetBlockHeaders](f)
	f.send(&Items{For: CodeBlockHeaders, ID: q2.ID, Items: []rlp.RawValue{chain.headers[chain.hashes[2]]}})
	f.send(&Items{For: CodeBlockHeaders, ID: q1.ID, Items: []rlp.RawValue{chain.headers[chain.hashes[1]]}})
	for i, done := range []<-chan asked[[]*types.Header]{first, second} {
		if a := <-done; a.err != nil || len(a.got) != 1 || a.got[0].Number.Uint64() != uint64(i+1) {
			t.Errorf("request %d: %v, %v", i+1, a.got, a.err)
		}
	}
}

func TestAnswersOfVersion63FindTheirRequestsByOrderAndKind(t *testing.T) {
	chain := newMemChain(t, 30)
	p, f := near(t, newHandler(t, Config{Backend: chain}), chain, 63, 1)
	var headers []<-chan asked[[]*types.Header]
	for i := range uint64(2) {
		headers = append(headers, request(func() ([]*types.Header, error) {
			return p.Headers(t.Context(), HeadersQuery{Start: Start{Number: i + 1}, Amount: 1})
		}))
		expect[*GetBlockHeaders](f)
	}
	bodies := request(func() ([]*types.Body, error) { return p.Bodies(t.Context(), chain.hashes[3:4]) })
	expect[*GetByHash](f)
	f.send(&Items{For: CodeBlockBodies, Items: []rlp.RawValue{chain.bodies[chain.hashes[3]]}})
	for i := range 2 {
		f.send(&Items{For: CodeBlockHeaders, Items: []rlp.RawValue{chain.headers[chain.hashes[i+1]]}})
	}
	if a := <-bodies; a.err != nil || len(a.got) != 1 {
		t.Errorf("bodies: %v, %v", a.got, a.err)
	}
	for i, done := range headers {
		if a := <-done; a.err != nil || len(a.got) != 1 || a.got[0].Number.Uint64() != uint64(i+1) {
			t.Errorf("request %d: %v, %v", i+1, a.got, a.err)
		}
	}
}

func TestAnAnswerThatDoesNotFitEndsTheLink(t *testing.T) {
	chain := newMemChain(t, 30)
	header := func(i int) rlp.RawValue { return chain.headers[chain.hashes[i]] }
	headers := func(q HeadersQuery) func(p *Peer) error {
		return func(p *Peer) error { _, err := p.Headers(context.Background(), q); return err }
	}
	byHash := Start{Hash: chain.hashes[5]}
	pooled := func(hashes ...common.Hash) func(p *Peer) error {
		return func(p *Peer) error { _, err := p.PooledTransactions(context.Background(), hashes); return err }
	}
	receipts := func(p *Peer) error { _, err := p.Receipts(context.Background(), chain.hashes[1:2]); return err }
	block := func(p *Peer) error { _, err := p.Block(context.Background(), Start{Number: 1}); return err }
	tests := []struct {
		name    string
		ask     func(p *Peer) error
		answers []Message // their ids are set
		want    string
	}{
		{"more than asked for", headers(HeadersQuery{Amount: 1}), []Message{&Items{For: CodeBlockHeaders, Items: []rlp.RawValue{header(0), header(1)}}}, "2 items, 1 asked for"},
		{"another start", headers(HeadersQuery{Start: byHash, Amount: 1}), []Message{&Items{For: CodeBlockHeaders, Items: []rlp.RawValue{header(6)}}}, "the first is"},
		{"another number", headers(HeadersQuery{Start: Start{Number: 5}, Amount: 1}), []Message{&Items{For: CodeBlockHeaders, Items: []rlp.RawValue{header(6)}}}, "the first is number 6, not 5"},
		{"a gap", headers(HeadersQuery{Start: byHash, Amount: 3}), []Message{&Items{For: CodeBlockHeaders, Items: []rlp.RawValue{header(5), header(7)}}}, "number 7 comes after 5"},
		{"no gap", headers(HeadersQuery{Start: byHash, Amount: 3, Skip: 1}), []Message{&Items{For: CodeBlockHeaders, Items: []rlp.RawValue{header(5), header(6)}}}, "number 6 comes after 5"},
		{"the wrong way", headers(HeadersQuery{Start: byHash, Amount: 3, Reverse: true}), []Message{&Items{For: CodeBlockHeaders, Items: []rlp.RawValue{header(5), header(6)}}}, "number 6 comes after 5"},
		{"a step of 2^64", headers(HeadersQuery{Start: byHash, Amount: 3, Skip: 1<<64 - 1}), []Message{&Items{For: CodeBlockHeaders, Items: []rlp.RawValue{header(5), header(5)}}}, "number 5 comes after 5"},
		{"no header", headers(HeadersQuery{Start: byHash, Amount: 1}), []Message{&Items{For: CodeBlockHeaders, Items: []rlp.RawValue{{0xc0}}}}, "header 0: rlp"},
		{"a transaction not asked for", pooled(one), []Message{&Items{For: CodePooledTransactions, Items: []rlp.RawValue{{0xc0}}}}, "was not asked for"},
		{"no receipt", receipts, []Message{&Receipts{Lists: []rlp.RawValue{{0xc1, 1}}}}, "receipts of block 0"},
		{"receipts that end before they begin", receipts, []Message{&Receipts{LastIncomplete: true}}, "break off before the first"},
		{"receipts that end before they begin, in a list", receipts, []Message{&Receipts{LastIncomplete: true, Lists: []rlp.RawValue{{0xc0}}}}, "break off before the first"},
		{"another block's body", block, []Message{&Items{For: CodeBlockHeaders, Items: []rlp.RawValue{header(1)}}, &Items{For: CodeBlockBodies, Items: []rlp.RawValue{chain.bodies[chain.hashes[2]]}}}, "the transactions have the root"},
	}
	for _, tt := range tests {
		h := newHandler(t, Config{Backend: chain})
		p, f := near(t, h, chain, 72, 1)
		done := request(func() (struct{}, error) { return struct{}{}, tt.ask(p) })
		for i, m := range tt.answers {
			msg, err := f.rw.ReadMsg()
			if err != nil {
				t.Fatal(err)
			}
			_ = msg.Discard()
			setID(m, uint64(i+1))
			f.send(m)
		}
		if a := <-done; !errors.Is(a.err, ErrBadAnswer) || !strings.Contains(a.err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, a.err, tt.want)
		}
		if err := f.end(); !errors.Is(err, ErrBadAnswer) {
			t.Errorf("%s: the link ended with %v", tt.name, err)
		}
		h.Close()
	}
}

func setID(m Message, id uint64) {
	switch m := m.(type) {
	case *Items:
		m.ID = id
	case *Receipts:
		m.ID = id
	}
}

func TestReceiptsThatBreakOffAreAskedForAgainWithTheSameID(t *testing.T) {
	chain := newMemChain(t, 0)
	p, f := near(t, newHandler(t, Config{Backend: chain}), chain, 70, 1)
	all := twoReceipts()
	done := request(func() ([][]*types.Receipt, error) {
		return p.Receipts(t.Context(), []common.Hash{one, deadc0de, feedbeef})
	})
	q := expect[*GetReceipts](f)
	f.send(&Receipts{ID: q.ID, LastIncomplete: true, Lists: []rlp.RawValue{encodeReceipts(t, 70, all), encodeReceipts(t, 70, all[:1])}})
	again := expect[*GetReceipts](f)
	if again.ID != q.ID || again.Query.First != 1 || len(again.Query.Hashes) != 2 || again.Query.Hashes[0] != deadc0de {
		t.Errorf("asked for the rest with %+v", again)
	}
	f.send(&Receipts{ID: q.ID, LastIncomplete: true, Lists: []rlp.RawValue{encodeReceipts(t, 70, all[1:])}})
	again = expect[*GetReceipts](f)
	if again.Query.First != 2 || len(again.Query.Hashes) != 2 {
		t.Errorf("asked for the rest with %+v", again)
	}
	f.send(&Receipts{ID: q.ID, Lists: []rlp.RawValue{{0xc0}, encodeReceipts(t, 70, all)}})
	a := <-done
	if a.err != nil || len(a.got) != 3 || len(a.got[0]) != 2 || len(a.got[1]) != 2 || len(a.got[2]) != 2 {
		t.Errorf("%v, %v", a.got, a.err)
	}
}

func TestReceiptsThatBreakOffBelongToTheBlockThatTheyBrokeOffIn(t *testing.T) {
	chain := newMemChain(t, 0)
	all := twoReceipts()
	whole, none := encodeReceipts(t, 70, all), rlp.RawValue{0xc0}
	for _, tt := range []struct {
		name    string
		answers []Receipts
		want    []int // receipts of each block
	}{
		{"before the first", []Receipts{{LastIncomplete: true, Lists: []rlp.RawValue{whole, none}}, {Lists: []rlp.RawValue{whole}}}, []int{2, 2}},
		{"and never go on", []Receipts{{LastIncomplete: true, Lists: []rlp.RawValue{whole, encodeReceipts(t, 70, all[:1])}}, {}}, []int{2}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p, f := near(t, newHandler(t, Config{Backend: chain}), chain, 70, 1)
			done := request(func() ([][]*types.Receipt, error) { return p.Receipts(t.Context(), []common.Hash{one, deadc0de}) })
			for _, m := range tt.answers {
				m.ID = expect[*GetReceipts](f).ID
				f.send(&m)
			}
			a := <-done
			var got []int
			for _, block := range a.got {
				got = append(got, len(block))
			}
			if a.err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("blocks of %v receipts, want %v, %v", got, tt.want, a.err)
			}
		})
	}
}

func TestARequestEndsWithItsContextAndALateAnswerIsNoBreach(t *testing.T) {
	chain := newMemChain(t, 3)
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, Config{Backend: chain, RequestTimeout: 20 * time.Second})
		p, f := near(t, h, chain, 69, 1)
		begin := time.Now()
		for _, limit := range []time.Duration{3 * time.Second, 0} {
			ctx, cancel := context.WithCancel(context.Background())
			if limit > 0 {
				cancel()
				ctx, cancel = context.WithTimeout(context.Background(), limit)
			}
			done := request(func() ([]*types.Header, error) { return p.Headers(ctx, HeadersQuery{Amount: 1}) })
			expect[*GetBlockHeaders](f)
			if a := <-done; !errors.Is(a.err, context.DeadlineExceeded) {
				t.Errorf("after %v: %v", time.Since(begin), a.err)
			}
			cancel()
		}
		if took := time.Since(begin); took != 23*time.Second {
			t.Errorf("the two took %v", took)
		}
		f.send(&Items{For: CodeBlockHeaders, ID: 1, Items: []rlp.RawValue{chain.headers[chain.hashes[0]]}})
		if _, err := p.Headers(canceled(), HeadersQuery{Amount: 1}); !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
		// The second answer never comes: then the peer has to go.
		if err := <-f.done; !errors.Is(err, errNoAnswer) {
			t.Error(err)
		}
		if took := time.Since(begin); took != 3*time.Second+answerTimeout {
			t.Errorf("the peer was dropped after %v", took)
		}
		if _, err := p.Headers(context.Background(), HeadersQuery{Amount: 1}); !errors.Is(err, ErrGone) {
			t.Error(err)
		}
		h.Close()
	})
}

func canceled() context.Context {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return ctx
}

func TestRequestsToAPeerThatDoesNotAnswerAreLimited(t *testing.T) {
	chain := newMemChain(t, 3)
	h := newHandler(t, Config{Backend: chain})
	p, f := near(t, h, chain, 69, 1)
	for i := range maxAsked {
		if err := p.post(&GetBlockHeaders{}, 1, func(Message, error) {}); err != nil {
			t.Fatalf("request %d: %v", i, err)
		}
	}
	if _, err := p.Headers(t.Context(), HeadersQuery{Amount: 1}); !errors.Is(err, ErrBusy) {
		t.Error(err)
	}
	f.rw.Close()
	if err := f.end(); err == nil {
		t.Error("no error")
	}
	if len(p.asked.list) != 0 {
		t.Errorf("%d requests are left", len(p.asked.list))
	}
	h.Close()
}

func TestRequestsThatAVersionDoesNotHaveFail(t *testing.T) {
	chain := newMemChain(t, 3)
	p, _ := near(t, newHandler(t, Config{Backend: chain}), chain, 69, 1)
	if _, err := p.AccessLists(t.Context(), nil); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	if _, err := p.NodeData(t.Context(), nil); !errors.Is(err, ErrUnsupported) {
		t.Error(err)
	}
	if _, err := p.Bodies(t.Context(), make([]common.Hash, MaxBodies+1)); err == nil || !strings.Contains(err.Error(), "more than the 1024") {
		t.Error(err)
	}
}

func TestTwoNodesThatAskEachOtherForMuchGetTheirAnswers(t *testing.T) {
	chain := newMemChain(t, 3)
	synctest.Test(t, func(t *testing.T) {
		var handlers [2]*Handler
		done := make(chan error, 2)
		ours, theirs := p2p.MsgPipe()
		for i, rw := range []*p2p.MsgPipeRW{ours, theirs} {
			h := newHandler(t, Config{Backend: chain, Versions: []uint{69}})
			peer := p2p.NewPeerPipe(enode.ID{byte(i)}, "peer", nil, rw)
			go func() { done <- h.Protocols()[0].Run(peer, rw) }()
			handlers[i] = h
		}
		synctest.Wait()
		const each = 3 * maxWorkBytes / (MaxBodies * 33)
		answers := make(chan error, 2*each)
		for _, h := range handlers {
			for range each {
				go func() {
					_, err := h.Peers()[0].Bodies(t.Context(), make([]common.Hash, MaxBodies))
					answers <- err
				}()
			}
		}
		for range 2 * each {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
		ours.Close()
		for _, h := range handlers {
			<-done
			h.Close()
		}
	})
}

func TestWhatIsAskedBeyondWhatANodeKeepsWaitsAndHasItsOwnTime(t *testing.T) {
	chain := newMemChain(t, 3)
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, Config{Backend: chain})
		p, f := near(t, h, chain, 69, 1)
		const all = 40
		for range all {
			if err := p.post(&GetByHash{For: CodeGetBlockBodies, Hashes: make([]common.Hash, MaxBodies)}, MaxBodies, func(Message, error) {}); err != nil {
				t.Fatal(err)
			}
		}
		var sent atomic.Int64
		go func() {
			for msg, err := f.rw.ReadMsg(); err == nil; msg, err = f.rw.ReadMsg() {
				_ = msg.Discard()
				sent.Add(1)
			}
		}()
		synctest.Wait()
		first := sent.Load()
		if want := maxWorkBytes / int64(workBytes(len(p.asked.list[0].payload))); first != want {
			t.Errorf("%d requests are sent at once, %d fit", first, want)
		}
		time.Sleep(answerTimeout - time.Second)
		for id := range first {
			f.send(&Items{For: CodeBlockBodies, ID: uint64(id) + 1})
		}
		synctest.Wait()
		if n := sent.Load(); n != all {
			t.Errorf("%d requests of %d are sent after the answers to the first", n, all)
		}
		begin := time.Now()
		if err := <-f.done; !errors.Is(err, errNoAnswer) || time.Since(begin) != answerTimeout {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		h.Close()
	})
}

func TestWhoDoesNotEvenReadARequestIsDroppedAsIfItHad(t *testing.T) {
	chain := newMemChain(t, 3)
	synctest.Test(t, func(t *testing.T) {
		h := newHandler(t, Config{Backend: chain})
		p, f := near(t, h, chain, 69, 1)
		begin := time.Now()
		if err := p.post(&GetBlockHeaders{}, 1, func(Message, error) {}); err != nil {
			t.Fatal(err)
		}
		if err := <-f.done; !errors.Is(err, errNoAnswer) || time.Since(begin) != answerTimeout {
			t.Errorf("after %v: %v", time.Since(begin), err)
		}
		h.Close()
	})
}
