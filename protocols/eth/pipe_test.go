package eth

import (
	"bytes"
	"errors"
	"io"
	"math/big"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/p2p"
)

// far is the remote end of a link to a handler, written by hand, over a pipe.
type far struct {
	t       *testing.T
	version uint
	rw      *p2p.MsgPipeRW
	done    chan error // what Run has returned
}

var quiet = log.NewLogger(log.DiscardHandler())

func newHandler(t testing.TB, cfg Config) *Handler {
	t.Helper()
	if cfg.Logger == nil {
		cfg.Logger = quiet
	}
	h, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// dialFar runs a handler's protocol with the far end of a pipe.
func dialFar(t *testing.T, h *Handler, version uint, id byte) *far {
	ours, theirs := p2p.MsgPipe()
	f := &far{t, version, theirs, make(chan error, 1)}
	peer := p2p.NewPeerPipe(enode.ID{id}, "far", []p2p.Cap{{Name: Name, Version: version}}, ours)
	for _, p := range h.Protocols() {
		if p.Version == version {
			go func() {
				err := p.Run(peer, ours)
				ours.Close()
				f.done <- err
			}()
		}
	}
	t.Cleanup(func() { theirs.Close() })
	return f
}

// sendRaw sends a payload.
func (f *far) sendRaw(code uint64, payload []byte) error {
	return f.rw.WriteMsg(p2p.Msg{Code: code, Size: uint32(len(payload)), Payload: bytes.NewReader(payload)})
}

func (f *far) send(m Message) {
	f.t.Helper()
	payload, err := Encode(f.version, m)
	if err == nil {
		err = f.sendRaw(m.Code(), payload)
	}
	if err != nil && !errors.Is(err, p2p.ErrPipeClosed) {
		f.t.Fatal(err)
	}
}

// expect reads the next message, which must be of a kind.
func expect[M Message](f *far) M {
	f.t.Helper()
	msg, err := f.rw.ReadMsg()
	if err != nil {
		f.t.Fatal(err)
	}
	payload, err := io.ReadAll(msg.Payload)
	if err != nil {
		f.t.Fatal(err)
	}
	m, err := Decode(f.version, msg.Code, payload)
	if err != nil {
		f.t.Fatal(err)
	}
	got, ok := m.(M)
	if !ok {
		f.t.Fatalf("got %T %+v", m, m)
	}
	return got
}

// status is a good Status for a chain.
func (f *far) status(c *memChain) *Status {
	head := c.Head()
	return &Status{
		Version: uint64(f.version), NetworkID: c.config.NetworkID, Genesis: c.config.Genesis, ForkID: c.config.ForkIDAt(head.Number, head.Time),
		TD: head.TD, Head: head.Hash, Latest: head.Number,
	}
}

// shake does the handshake.
func (f *far) shake(c *memChain) *far {
	f.t.Helper()
	expect[*Status](f)
	f.send(f.status(c))
	return f
}

// end waits for Run's return and returns its error.
func (f *far) end() error {
	f.t.Helper()
	select {
	case err := <-f.done:
		return err
	case <-time.After(patience):
		f.t.Fatal("the protocol goes on")
		return nil
	}
}

func TestAnUnfitStatusEndsTheLinkWithTheReason(t *testing.T) {
	chain := newMemChain(t, 3)
	status := func(change func(*Status)) func(f *far) {
		return func(f *far) {
			s := f.status(chain)
			change(s)
			f.send(s)
		}
	}
	tests := []struct {
		name    string
		version uint
		send    func(f *far)
		want    string
	}{
		{"another network", 69, status(func(s *Status) { s.NetworkID++ }), "the remote is on network 1338, we are on 1337"},
		{"another network before another version", 69, status(func(s *Status) { s.NetworkID++; s.Version = 1 }), "the remote is on network"},
		{"another version", 69, status(func(s *Status) { s.Version = 68 }), "the remote's Status is of version 68"},
		{"another genesis block", 68, status(func(s *Status) { s.Genesis[0]++ }), "the remote's genesis block is"},
		{"another fork", 68, status(func(s *Status) { s.ForkID.Hash[0]++ }), "another chain"},
		{"a range that ends before it begins", 69, status(func(s *Status) { s.Earliest = 4 }), "earliest block 4 after the latest, 3"},
		{"a head without a hash", 72, status(func(s *Status) { s.Head = common.Hash{} }), "is zero"},
		{"not a Status", 69, func(f *far) { f.send(&Transactions{}) }, "the first message is Transactions, not Status"},
		{"one of another layout", 69, func(f *far) {
			payload, err := Encode(68, &Status{Version: 69})
			if err != nil {
				f.t.Fatal(err)
			}
			_ = f.sendRaw(CodeStatus, payload)
		}, "genesis: "},
		{"one that is too large", 69, func(f *far) {
			_ = f.rw.WriteMsg(p2p.Msg{Code: CodeStatus, Size: MaxMessage + 1, Payload: bytes.NewReader(make([]byte, MaxMessage+1))})
		}, "larger than"},
	}
	for _, tt := range tests {
		f := dialFar(t, newHandler(t, Config{Backend: chain}), tt.version, 1)
		expect[*Status](f)
		tt.send(f)
		if err := f.end(); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestABreachOfProtocolEndsTheLinkWithTheReason(t *testing.T) {
	chain := newMemChain(t, 3)
	blob := unhex("8403c10101") // type 3, not its sidecar
	tests := []struct {
		name    string
		version uint
		send    func(f *far)
		want    string
	}{
		{"a second Status", 69, func(f *far) { f.send(f.status(chain)) }, "a second Status"},
		{"a code of older versions", 69, func(f *far) { _ = f.sendRaw(CodeNewBlockHashes, []byte{0xc0}) }, "no message of this version"},
		{"a code of younger versions", 68, func(f *far) { _ = f.sendRaw(CodeBlockRangeUpdate, []byte{0xc0}) }, "no message of this version"},
		{"a code that there is not", 63, func(f *far) { _ = f.sendRaw(0x0b, []byte{0xc0}) }, "no message of this version"},
		{"an empty payload", 69, func(f *far) { _ = f.sendRaw(CodeTransactions, nil) }, "Transactions"},
		{"an answer to nothing", 69, func(f *far) { f.send(&Items{For: CodeBlockHeaders, ID: 1}) }, "nobody has asked for"},
		{"an answer to nothing, of old", 63, func(f *far) { f.send(&Items{For: CodeNodeData}) }, "nobody has asked for"},
		{"a range that ends before it begins", 70, func(f *far) { f.send(&BlockRange{2, 1, one}) }, "earliest block 2 after the latest, 1"},
		{"a range without a hash", 70, func(f *far) { f.send(&BlockRange{1, 2, common.Hash{}}) }, "is zero"},
		{"a blob transaction in full", 71, func(f *far) { f.send(&Transactions{Txs: []rlp.RawValue{blob}}) }, "a blob transaction may only be announced"},
		{"a transaction twice", 71, func(f *far) { f.send(&Transactions{Txs: []rlp.RawValue{{0xc0}, {0xc1, 1}, {0xc0}}}) }, "the same transaction twice"},
		{"a transaction without a type", 71, func(f *far) { f.send(&Transactions{Txs: []rlp.RawValue{{0x80}}}) }, "needs a type"},
		{"an announcement of uneven lists", 71, func(f *far) { _ = f.sendRaw(CodeAnnouncement, unhex("c380c180c0")) }, "NewPooledTransactionHashes"},
		{"a block without a header", 68, func(f *far) { f.send(&NewBlock{Block: unhex("c3c0c0c0")}) }, "NewBlock: header"},
	}
	for _, tt := range tests {
		h := newHandler(t, Config{Backend: chain, Pool: newMemChain(t, 0)})
		f := dialFar(t, h, tt.version, 1).shake(chain)
		tt.send(f)
		err := f.end()
		if err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", tt.name, err, tt.want)
		}
		if h.Stats().Breaches != 1 {
			t.Errorf("%s: %d breaches counted", tt.name, h.Stats().Breaches)
		}
		h.Close()
	}
}

func TestWhoSendsNoStatusIsDroppedAfterFiveSeconds(t *testing.T) {
	chain := newMemChain(t, 3)
	for _, reads := range []bool{true, false} {
		synctest.Test(t, func(t *testing.T) {
			h := newHandler(t, Config{Backend: chain})
			begin := time.Now()
			f := dialFar(t, h, 69, 1)
			if reads {
				expect[*Status](f)
			} else {
				f.send(f.status(chain)) // but does not read ours
			}
			if err := <-f.done; !errors.Is(err, errStatusTimeout) || time.Since(begin) != handshakeTimeout {
				t.Errorf("after %v: %v", time.Since(begin), err)
			}
			h.Close()
		})
	}
}

func TestRequestsOfPeersAreAnsweredInOrder(t *testing.T) {
	chain := newMemChain(t, 30)
	f := dialFar(t, newHandler(t, Config{Backend: chain}), 71, 1).shake(chain)
	go func() {
		f.send(&GetBlockHeaders{ID: 7, Query: HeadersQuery{Start: Start{Number: 3}, Amount: 2}})
		f.send(&GetByHash{For: CodeGetBlockBodies, ID: 8, Hashes: chain.hashes[1:4]})
		f.send(&GetReceipts{ID: 1 << 60, Query: ReceiptsQuery{Hashes: chain.hashes[1:2]}})
		f.send(&GetByHash{For: CodeGetPooledTransactions, ID: 10, Hashes: chain.hashes[1:2]})
		f.send(&GetByHash{For: CodeGetBlockAccessLists, ID: 0, Hashes: chain.hashes[1:3]})
		f.send(&GetBlockHeaders{ID: 11, Query: HeadersQuery{Start: Start{Number: 300}, Amount: 2}})
	}()
	if m := expect[*Items](f); m.For != CodeBlockHeaders || m.ID != 7 || len(m.Items) != 2 || !bytes.Equal(m.Items[1], chain.headers[chain.hashes[4]]) {
		t.Errorf("%+v", m)
	}
	if m := expect[*Items](f); m.For != CodeBlockBodies || m.ID != 8 || len(m.Items) != 3 {
		t.Errorf("%+v", m)
	}
	if m := expect[*Receipts](f); m.ID != 1<<60 || len(m.Lists) != 1 {
		t.Errorf("%+v", m)
	}
	if m := expect[*Items](f); m.For != CodePooledTransactions || m.ID != 10 || len(m.Items) != 0 {
		t.Errorf("%+v", m)
	}
	if m := expect[*Items](f); m.For != CodeBlockAccessLists || m.ID != 0 || len(m.Items) != 2 || m.Items[1][0] != 0x80 {
		t.Errorf("%+v", m)
	}
	if m := expect[*Items](f); m.For != CodeBlockHeaders || m.ID != 11 || len(m.Items) != 0 {
		t.Errorf("%+v", m)
	}
}

func TestHeadsOfPeersAreFollowed(t *testing.T) {
	chain := newMemChain(t, 30)
	observer := NewObserver(chain.config)
	h := newHandler(t, Config{Backend: observer})
	sub := h.Subscribe(0)
	f := dialFar(t, h, 68, 1).shake(chain)
	q := expect[*GetBlockHeaders](f)
	if q.Query.Start.Hash != chain.hashes[30] || q.Query.Amount != 1 {
		t.Fatalf("%+v", q)
	}
	f.send(&Items{For: CodeBlockHeaders, ID: q.ID, Items: []rlp.RawValue{chain.headers[chain.hashes[30]]}})
	f.send(&NewBlockHashes{Blocks: []BlockInfo{{one, 31}}})
	q = expect[*GetBlockHeaders](f)
	if best := observer.Best(); best.Number != 30 || best.Hash != chain.hashes[30] || best.Time != 1030 {
		t.Errorf("%+v", best)
	}
	future := &types.Header{Number: big.NewInt(1000), Difficulty: big.NewInt(1), Time: uint64(time.Now().Unix()) + 3600}
	f.send(&Items{For: CodeBlockHeaders, ID: q.ID, Items: []rlp.RawValue{encode(t, future)}}) // not the one asked for
	f.send(&NewBlockHashes{Blocks: []BlockInfo{{future.Hash(), 1000}}})
	q = expect[*GetBlockHeaders](f)
	f.send(&Items{For: CodeBlockHeaders, ID: q.ID, Items: []rlp.RawValue{encode(t, future)}}) // not yet
	f.send(&GetByHash{For: CodeGetBlockBodies, ID: 1, Hashes: chain.hashes})
	if m := expect[*Items](f); len(m.Items) != 0 {
		t.Errorf("an observer has answered %v", m)
	}
	if best := observer.Best(); best.Number != 30 {
		t.Errorf("%+v", best)
	}
	joined := await[*PeerJoined](t, sub)
	if s := joined.Peer.State(); s.Number != 1000 || s.Version != 68 || s.TD == nil {
		t.Errorf("%+v", s)
	}
	for _, want := range []uint64{0, 30, 31, 1000} {
		if e := await[*HeadSeen](t, sub); e.Head.Number != want {
			t.Errorf("head %d, want %d", e.Head.Number, want)
		}
	}
}
