package bzz

import (
	"errors"
	"testing"
	"testing/synctest"

	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/bzz/chunk"
	"github.com/sennit-net/sennit/protocols/bzz/wire"
)

// soleSession returns the session that a node has.
func (n *Node) soleSession() (peer *p2p.Peer, session *session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	for peer, session = range n.sessions {
	}
	return peer, session
}

func TestAReceiptIsAskedForBehindTheChunksAndIsTheAnswer(t *testing.T) {
	for _, tt := range []struct {
		name   string
		meet   func(*testing.T, *Node) *remote
		take   func(*remote)
		chunk  heard // that is sent before
		ask    heard
		answer func(*remote, chunk.Chunk)
	}{
		{
			"early", func(t *testing.T, n *Node) *remote { return meet(t, n, near(0, 1), false) },
			func(r *remote) {
				r.say(wire.StreamName, wire.Subscribe{Stream: wire.SyncBin(0).History(), Range: &wire.Range{}, Priority: wire.PriorityMid})
				r.want(r.expectOffer(), 0)
			},
			heard{proto: wire.StreamName, code: wire.CodeDeliverySyncing}, heard{proto: wire.StreamName, code: wire.CodeRetrieveRequest},
			(*remote).deliver,
		},
		{
			"later", func(t *testing.T, n *Node) *remote { return meetLater(t, n, near(0, 1)) },
			func(r *remote) {
				r.say(wire.PullName, wire.GetRange{ID: 1, Stream: wire.SyncBin(0).History(), From: 1, To: 1, Batch: 9})
				r.expect(wire.PullName, wire.CodePullOffer)
				r.say(wire.PullName, wire.PullWanted{ID: 1, Want: wire.Bits{1}})
			},
			heard{proto: wire.PullName, code: wire.CodePullDelivery}, heard{proto: wire.PullName, code: wire.CodeStreamInfoReq},
			func(r *remote, _ chunk.Chunk) {
				bin := wire.StreamInfo{Stream: wire.SyncBin(0)}
				r.say(wire.PullName, wire.StreamInfoRes{Streams: []wire.StreamInfo{bin}}) // to another question
				r.say(wire.PullName, wire.StreamInfoRes{Streams: []wire.StreamInfo{bin, bin}})
			},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := newNode(t, nil)
				c := chunksOfBin(0, 1)[0]
				put(t, n, c)
				r := tt.meet(t, n)
				peer, s := n.soleSession()
				if err := n.Receipt(t.Context(), peer); err != nil {
					t.Errorf("before it is offered anything: %v", err)
				}
				tt.take(r)
				synctest.Wait()
				if s.reached[0] != 1 {
					t.Errorf("it has answered up to %d", s.reached[0])
				}
				r.expect(tt.chunk.proto, tt.chunk.code)
				got := make(chan error, 1)
				go func() { got <- n.Receipt(t.Context(), peer) }()
				r.expect(tt.ask.proto, tt.ask.code)
				synctest.Wait()
				if err := n.Receipt(t.Context(), peer); !errors.Is(err, ErrBusy) || len(got) > 0 {
					t.Errorf("before the answer: %v, %d answers", err, len(got))
				}
				tt.answer(r, c)
				if err := <-got; err != nil {
					t.Errorf("%v", err)
				}
				r.alive(n)
				go func() { got <- n.Receipt(t.Context(), peer) }()
				r.expect(tt.ask.proto, tt.ask.code)
				r.pipes[tt.ask.proto].Close()
				if err := <-got; !errors.Is(err, ErrNoPeer) {
					t.Errorf("the link ends: %v", err)
				}
			})
		})
	}
}

func TestAQuestionForAReceiptIsSentAfterAllChunksThatWait(t *testing.T) {
	q := newSender(1<<20, false)
	s := &session{node: newNode(t, nil), stream: q, serving: true, newest: someChunk(1).Address()}
	if _, err := s.askReceipt(); err != nil {
		t.Fatal(err)
	}
	if err := q.pushChunk(wire.PriorityMid, wire.CodeDeliverySyncing, someChunk(1).Address(), 0); err != nil {
		t.Fatal(err)
	}
	if m, ok := q.pop(); !ok || m.code != wire.CodeDeliverySyncing {
		t.Errorf("first comes %d, %v", m.code, ok)
	}
	if m, ok := q.pop(); !ok || m.code != wire.CodeRetrieveRequest {
		t.Errorf("then comes %d, %v", m.code, ok)
	}
}
