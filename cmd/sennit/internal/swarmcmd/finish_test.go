package swarmcmd

import (
	"io"
	"maps"
	"math/rand/v2"
	"net"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/protocols/bzz"
	"github.com/sennit-net/sennit/protocols/bzz/store"
)

// through returns a node as it is reached through a proxy that has carry copy what comes for the node.
func through(t *testing.T, node *enode.Node, carry func(to io.Writer, from io.Reader)) *enode.Node {
	t.Helper()
	at, _ := node.TCPEndpoint()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var running sync.WaitGroup
	running.Go(func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			running.Go(func() {
				defer in.Close()
				out, err := net.Dial("tcp", at.String())
				if err != nil {
					return
				}
				running.Go(func() {
					_, _ = io.Copy(in, out)
					in.Close()
				})
				carry(out, in)
				out.Close()
			})
		}
	})
	t.Cleanup(func() {
		l.Close()
		running.Wait()
	})
	return enode.NewV4(node.Pubkey(), net.IPv4(127, 0, 0, 1), l.Addr().(*net.TCPAddr).Port, 0)
}

func TestAPutWaitsUntilWhatWasSentHasArrived(t *testing.T) {
	defer func(d time.Duration) { quiet = d }(quiet)
	quiet = 4 * tick
	for name, dialect := range map[string]bzz.Dialects{"early": bzz.Early, "later": bzz.Later} {
		t.Run(name, func(t *testing.T) {
			n, node := startNode(t, bzz.Config{NoDial: true, Dialects: dialect, SyncDelay: syncDelay})
			var arrived atomic.Uint64 // before the way was free
			slow := through(t, node, func(to io.Writer, from io.Reader) {
				if n, _ := io.CopyN(to, from, 60_000); n < 60_000 {
					return
				}
				<-time.After(40 * tick) // the rest is in the buffers on the way
				arrived.Store(n.Stats().Received)
				_, _ = io.Copy(to, from)
			})
			p, err := Dial(t.Context(), testConfig(t), 0, ToPut, []*enode.Node{slow}, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			b := make([]byte, 200_000) // that does not get smaller on the way
			_, _ = rand.NewChaCha8([32]byte{}).Read(b)
			mustPut(t, p, b)
			if got := n.Stats().Received; got != 50 || arrived.Load() == 0 || arrived.Load() >= got {
				t.Errorf("the node has %d of 50 chunks, and had %d while no more could pass", got, arrived.Load())
			}
			if err := p.Close(); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestOnlyWhatIsAnsweredOnTheLinksThatThereAreCounts(t *testing.T) {
	all := make(map[int]uint64)
	for bin := range store.Bins {
		all[bin] = 0
	}
	with := func(reached map[int]uint64) bzz.PeerInfo {
		m := maps.Clone(all)
		maps.Copy(m, reached)
		return bzz.PeerInfo{Synced: m}
	}
	size := func(bin int) uint64 { return uint64(min(bin, 2)) } // 31 in all
	full := make(map[int]uint64)
	for bin := range store.Bins {
		full[bin] = size(bin)
	}
	for _, tt := range []struct {
		name  string
		links []bzz.PeerInfo
		want  progress
	}{
		{"no link", nil, progress{due: 31}},
		{"one that has begun", []bzz.PeerInfo{{}}, progress{links: 1, due: 31}},
		{"one that is new", []bzz.PeerInfo{with(nil)}, progress{links: 1, due: 31}},
		{"one that is behind", []bzz.PeerInfo{with(map[int]uint64{1: 1, 2: 1})}, progress{links: 1, answered: 2, due: 31}},
		{"one that has all", []bzz.PeerInfo{with(full)}, progress{links: 1, answered: 31, due: 31, complete: true}},
		{"one that has all, one that has begun", []bzz.PeerInfo{with(full), {}}, progress{links: 2, answered: 31, due: 31}},
		{"one that has all, one that takes nothing", []bzz.PeerInfo{with(full), {Light: true}}, progress{links: 2, answered: 31, due: 31, complete: true}},
		{"one that has all, one that is new", []bzz.PeerInfo{with(full), with(nil)}, progress{links: 2, answered: 31, due: 62}},
		{"a share", []bzz.PeerInfo{{Synced: map[int]uint64{2: 2}}}, progress{links: 1, answered: 2, due: 31}},
	} {
		if got := progressOf(tt.links, size); got != tt.want {
			t.Errorf("%s: %+v, want %+v", tt.name, got, tt.want)
		}
	}
	var shares []bzz.PeerInfo
	for _, bin := range slices.Sorted(maps.Keys(full)) {
		shares = append(shares, bzz.PeerInfo{Synced: map[int]uint64{bin: full[bin]}})
	}
	if got := progressOf(shares, size); !got.complete || got.answered != 31 {
		t.Errorf("each its share: %+v", got)
	}
}
