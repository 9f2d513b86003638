package node

import (
	"context"
	"log/slog"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/cmd/sennit/internal/config"
	"github.com/sennit-net/sennit/protocols/eth"
	"github.com/sennit-net/sennit/protocols/eth/chainfile"
)

const genesisText = `{"config": {"chainId": 77, "homesteadBlock": 0}, "gasLimit": "0x1000", "difficulty": "0x1", "alloc": {}}`

// writeChain makes a genesis file and one with a block after it, and returns the block's header.
func writeChain(t *testing.T) (genesis, blocks string, head *types.Header) {
	t.Helper()
	dir := t.TempDir()
	genesis, blocks = filepath.Join(dir, "genesis.json"), filepath.Join(dir, "chain.rlp")
	g, err := chainfile.ParseGenesis([]byte(genesisText))
	if err != nil {
		t.Fatal(err)
	}
	head = &types.Header{
		ParentHash: g.Hash, UncleHash: types.EmptyUncleHash, TxHash: types.EmptyTxsHash, ReceiptHash: types.EmptyReceiptsHash,
		Difficulty: big.NewInt(5), Number: big.NewInt(1), GasLimit: 0x1000, Time: 3,
	}
	block, err := rlp.EncodeToBytes(types.NewBlockWithHeader(head))
	if err != nil {
		t.Fatal(err)
	}
	for file, data := range map[string][]byte{genesis: []byte(genesisText), blocks: block} {
		if err := os.WriteFile(file, data, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return genesis, blocks, head
}

// run starts a node that the test's end stops.
func run(t *testing.T, c *config.Config) *Node {
	t.Helper()
	n, err := New(c, log.NewLogger(log.DiscardHandler()))
	if err != nil {
		t.Fatal(err)
	}
	if err := n.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Stop)
	return n
}

func TestANodeWithAChainServesAnObserver(t *testing.T) {
	genesis, blocks, head := writeChain(t)
	c := quiet(t)
	c.Eth.Enabled, c.Eth.Genesis, c.Eth.Chain, c.Eth.Relay, c.Eth.NetworkID = true, genesis, []string{blocks}, true, 5
	server := run(t, c)
	if _, err := os.Stat(filepath.Join(c.Node.DataDir, "eth", "index")); err != nil {
		t.Errorf("there is no index: %v", err)
	}

	c = quiet(t)
	c.Eth.Enabled, c.Eth.Genesis, c.Eth.NetworkID = true, genesis, 5
	c.P2P.StaticNodes = []*enode.Node{enode.MustParse(server.Enode())}
	observer := run(t, c)
	h := observer.services[0].(*ethService).handler
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	sub := h.Subscribe(0)
	for len(h.Peers()) == 0 {
		for range sub.Events(ctx) {
			break
		}
		if ctx.Err() != nil {
			t.Fatal("the observer finds no peer")
		}
	}
	p := h.Peers()[0]
	if s := p.Status(); s.NetworkID != 5 || s.Head != head.Hash() || s.Latest != 1 {
		t.Errorf("the status is %+v", s)
	}
	headers, err := p.Headers(ctx, eth.HeadersQuery{Start: eth.Start{Number: 1}, Amount: 3})
	if err != nil || len(headers) != 1 || headers[0].Hash() != head.Hash() {
		t.Errorf("headers: %v, %v", headers, err)
	}
}

// discovered is a configuration of a node that finds others by discovery, starting from boot.
func discovered(t *testing.T, boot ...*Node) *config.Config {
	c := quiet(t)
	c.P2P.NoDiscovery, c.P2P.DiscoveryV4, c.P2P.DiscoveryV5 = false, true, false
	c.Eth.Enabled = true
	for _, n := range boot {
		c.P2P.BootstrapNodes = append(c.P2P.BootstrapNodes, enode.MustParse(n.Enode()))
	}
	return c
}

// dials is a log that keeps only whom a node has dialed, whatever became of it.
type dials struct {
	mu  sync.Mutex
	ids map[enode.ID]bool
}

func (d *dials) Enabled(context.Context, slog.Level) bool { return true }
func (d *dials) WithAttrs([]slog.Attr) slog.Handler       { return d }
func (d *dials) WithGroup(string) slog.Handler            { return d }

func (d *dials) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "peer added" && r.Message != "connection refused" {
		return nil
	}
	var id enode.ID
	inbound := false
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "id":
			id = a.Value.Any().(enode.ID)
		case "inbound":
			inbound = a.Value.Bool()
		}
		return true
	})
	d.mu.Lock()
	defer d.mu.Unlock()
	if !inbound {
		d.ids[id] = true
	}
	return nil
}

func TestOfWhatDiscoveryFindsANodeOfAnotherChainIsNotDialed(t *testing.T) {
	genesis, _, _ := writeChain(t)
	other := run(t, discovered(t)) // mainnet
	c := discovered(t, other)
	c.Eth.Genesis = genesis
	first := run(t, c)
	c = discovered(t, other, first)
	c.Eth.Genesis = genesis
	dialed := &dials{ids: make(map[enode.ID]bool)}
	second, err := New(c, log.NewLogger(dialed))
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(second.Stop) // has all that happened logged
	t.Cleanup(stop)
	h := second.services[0].(*ethService).handler
	for deadline := time.Now().Add(time.Minute); len(h.Peers()) == 0; <-time.After(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the node finds no other one of its chain")
		}
	}
	id := h.Peers()[0].ID()
	stop()
	if id != first.server.Self().ID() || dialed.ids[other.server.Self().ID()] {
		t.Errorf("it has found %v; it has dialed %v, of them is on another chain: %v", id, dialed.ids, other.server.Self().ID())
	}
}

func TestNodesThatDoNotSayTheirChainAreDialedWhereTheyMayBeOfUse(t *testing.T) {
	for name, tt := range map[string]struct {
		set  func(*config.Config)
		want bool
	}{
		"a public network":     {func(c *config.Config) { c.Eth.Network = "hoodi" }, false},
		"a network of its own": {func(c *config.Config) { c.Eth.Genesis = "genesis.json" }, true},
		"Whisper beside it":    {func(c *config.Config) { c.Shh.Enabled = true }, true},
		"Swarm beside it":      {func(c *config.Config) { c.Bzz.Enabled = true }, true},
		"a sink beside it":     {func(c *config.Config) { c.Node.Caps = []string{"xyz/1/3"} }, true},
		"a mirror beside it":   {func(c *config.Config) { c.Node.Echo = []string{"xyz/1/3"} }, true},
	} {
		c := quiet(t)
		tt.set(c)
		if got := dialsUnknown(c); got != tt.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestEthIsMadeAsTheConfigurationSays(t *testing.T) {
	genesis, blocks, _ := writeChain(t)
	logger := log.NewLogger(log.DiscardHandler())
	for _, tt := range []struct {
		name     string
		set      func(*config.Eth)
		versions []uint // nil: no service
		genesis  string // the beginning of its hash
	}{
		{"disabled", func(*config.Eth) {}, nil, ""},
		{"mainnet", func(c *config.Eth) { c.Enabled = true }, eth.Versions(), "0xd4e56740"},
		{"hoodi", func(c *config.Eth) { c.Enabled, c.Network, c.Versions = true, "hoodi", []uint{69, 68} }, []uint{68, 69}, "0xbbe31286"},
		{"a chain", func(c *config.Eth) { c.Enabled, c.Genesis, c.Chain = true, genesis, []string{blocks} }, eth.Versions(), "0x"},
	} {
		c := quiet(t)
		c.Node.DataDir = ""
		tt.set(&c.Eth)
		s, err := newEth(c, logger)
		if err != nil || (s == nil) != (tt.versions == nil) {
			t.Errorf("%s: %v, %v", tt.name, s, err)
			continue
		}
		if s == nil {
			continue
		}
		var versions []uint
		for _, p := range s.Protocols() {
			versions = append(versions, p.Version)
		}
		info := s.Protocols()[0].NodeInfo().(*eth.NodeInfo)
		if !slices.Equal(versions, tt.versions) || !strings.HasPrefix(info.Genesis.Hex(), tt.genesis) {
			t.Errorf("%s: versions %v, %+v", tt.name, versions, info)
		}
		s.Stop()
	}
}

func TestAChainThatCannotBeServedKeepsTheNodeFromStarting(t *testing.T) {
	genesis, blocks, _ := writeChain(t)
	broken := filepath.Join(t.TempDir(), "broken.rlp")
	if err := os.WriteFile(broken, []byte{0xc0}, 0o600); err != nil {
		t.Fatal(err)
	}
	for want, set := range map[string]func(*config.Eth){
		"nowhere.json":                    func(c *config.Eth) { c.Genesis = "nowhere.json" },
		"nowhere.rlp":                     func(c *config.Eth) { c.Chain = []string{"nowhere.rlp"} },
		"broken.rlp: block 1 at offset 0": func(c *config.Eth) { c.Chain = []string{broken} },
		"receipts of block 1 at offset 0": func(c *config.Eth) { c.Receipts = blocks },
		"elsewhere.json":                  func(c *config.Eth) { c.Genesis, c.Chain = "elsewhere.json", nil },
	} {
		c := quiet(t)
		c.Eth.Enabled, c.Eth.Genesis, c.Eth.Chain = true, genesis, []string{blocks}
		set(&c.Eth)
		n, err := New(c, log.NewLogger(log.DiscardHandler()))
		if err != nil {
			t.Fatal(err)
		}
		if err := n.Start(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the error is %v, want %s", err, want)
		}
	}
}
