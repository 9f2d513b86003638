package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"io"
	"math/big"
	"net/netip"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/admin"
	"github.com/sennit-net/sennit/cmd/sennit/internal/ethcmd"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/eth"
)

// ethChain is a chain of a genesis block and two blocks, the first of which has a transaction, and the pool has another one.
type ethChain struct {
	*eth.Observer
	hashes  []common.Hash
	headers map[common.Hash]rlp.RawValue
	bodies  map[common.Hash]rlp.RawValue
	waiting eth.Transaction
}

func newEthChain(t *testing.T) *ethChain {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	tx := func(nonce uint64) *types.Transaction {
		return types.MustSignNewTx(key, types.LatestSignerForChainID(big.NewInt(77)), &types.DynamicFeeTx{
			ChainID: big.NewInt(77), Nonce: nonce, Gas: 21000, GasFeeCap: big.NewInt(5), To: &common.Address{0xab}, Value: big.NewInt(42),
		})
	}
	c := &ethChain{headers: make(map[common.Hash]rlp.RawValue), bodies: make(map[common.Hash]rlp.RawValue)}
	for i := range 3 {
		header := &types.Header{
			Number: big.NewInt(int64(i)), Time: 1_500_000_000, Difficulty: big.NewInt(1), GasLimit: 5000, Extra: []byte("bell\a"),
			UncleHash: types.EmptyUncleHash, TxHash: types.EmptyTxsHash,
		}
		if i > 0 {
			header.ParentHash = c.hashes[i-1]
		}
		body := types.Body{}
		if i == 1 {
			body.Transactions = append(body.Transactions, tx(0))
			header.TxHash = common.HexToHash("0x01") // of another body
		}
		hash := header.Hash()
		c.hashes = append(c.hashes, hash)
		c.headers[hash], c.bodies[hash] = toRLP(t, header), toRLP(t, &body)
	}
	if c.waiting, err = eth.NewTransaction(tx(1)); err != nil {
		t.Fatal(err)
	}
	c.Observer = eth.NewObserver(eth.NewChainConfig("test", 77, c.hashes[0], 0, params.AllEthashProtocolChanges))
	return c
}

func toRLP(t *testing.T, v any) rlp.RawValue {
	t.Helper()
	b, err := rlp.EncodeToBytes(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func (c *ethChain) Head() eth.Head {
	return eth.Head{Number: 2, Time: 1_500_000_000, Hash: c.hashes[2]}
}
func (c *ethChain) Number(hash common.Hash) (uint64, bool, bool) {
	for i, h := range c.hashes {
		if h == hash {
			return uint64(i), true, true
		}
	}
	return 0, false, false
}
func (c *ethChain) Hash(n uint64) (common.Hash, bool) {
	if n >= uint64(len(c.hashes)) {
		return common.Hash{}, false
	}
	return c.hashes[n], true
}
func (c *ethChain) Header(hash common.Hash) rlp.RawValue { return c.headers[hash] }
func (c *ethChain) Body(hash common.Hash) rlp.RawValue   { return c.bodies[hash] }
func (c *ethChain) PooledTransaction(hash common.Hash) rlp.RawValue {
	if hash == c.waiting.Hash {
		return c.waiting.Raw
	}
	return nil
}

// startEth starts a node that speaks eth.
func startEth(t *testing.T, cfg eth.Config) (*p2p.Server, *eth.Handler) {
	t.Helper()
	h, err := eth.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	server := &p2p.Server{Config: p2p.Config{PrivateKey: key, Name: "tested\x1b", MaxPeers: 10, ListenAddr: "127.0.0.1:0", NoDiscovery: true, Protocols: h.Protocols()}}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		server.Stop()
		h.Close()
	})
	return server, h
}

func TestEthCommandsShowWhatANodeHas(t *testing.T) {
	chain := newEthChain(t)
	server, _ := startEth(t, eth.Config{Backend: chain})
	url := server.Self().URLv4()

	// A second node stands for the running one: it is linked to the first, and has an endpoint.
	running, h := startEth(t, eth.Config{Backend: chain.Observer})
	joined := h.Subscribe(0)
	defer joined.Close()
	running.AddPeer(server.Self())
	if _, err := joined.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "ipc")
	endpoint, err := admin.Listen(admin.Config{IPCPath: socket, APIs: h.APIs()})
	if err != nil {
		t.Fatal(err)
	}
	defer endpoint.Close()

	tests := []struct {
		args   string
		status int
		want   []string // parts of standard output, or of standard error if the status is not 0
	}{
		{"head", 0, []string{"client        \"tested\\x1b\"", "version       eth/72", "network       77", "genesis       " + chain.hashes[0].String(), "head          2", "blocks 0 to 2"}},
		{"head --eth-version 68", 0, []string{"version       eth/", "head          2"}},
		{"head --json", 0, []string{`"version": 72`, `"number": 2`}},
		{"headers 0 --count 2", 0, []string{chain.hashes[0].String(), chain.hashes[1].String(), "2017-07-14"}},
		{"headers head --count 3 --reverse --skip 1 --json", 0, []string{`"number": "0x2"`, `"number": "0x0"`}},
		{"headers 9", 1, []string{"block 9: the node does not have it"}},
		{"block head", 0, []string{"block         2", "hash          " + chain.hashes[2].String(), "gas           0 of 5000 used", `extra         "bell\a"`, "transactions  0"}},
		{"block " + chain.hashes[2].Hex()[2:] + " --json", 0, []string{`"hash": "` + chain.hashes[2].String(), `"transactions": []`}},
		{"block 1", 1, []string{"the transactions have the root"}},
	}
	for _, tt := range tests {
		for _, way := range []string{"--node " + url, "--rpc " + socket} {
			if tt.args == "block 1" && strings.HasPrefix(way, "--rpc") {
				continue // it costs the link
			}
			got := sennit(t, strings.Fields("eth "+tt.args+" "+way)...)
			text := got.stdout
			if tt.status != 0 {
				text = got.stderr
			}
			for _, want := range tt.want {
				if got.status != tt.status || !strings.Contains(text, want) {
					t.Errorf("eth %s %.20s: %+v, want %d with %q", tt.args, way, got, tt.status, want)
				}
			}
		}
	}
	for _, way := range []string{"--node=" + url, "--rpc=" + socket} {
		got := sennit(t, "eth", "tx", chain.waiting.Hash.String(), way)
		if got.status != 0 || !strings.Contains(got.stdout, "value         42 wei") || !strings.Contains(got.stdout, "nonce         1") {
			t.Errorf("%+v", got)
		}
		got = sennit(t, "eth", "tx", chain.hashes[0].String(), way)
		if got.status != 1 || !strings.Contains(got.stderr, "does not have it") {
			t.Errorf("%+v", got)
		}
	}
}

func TestEthCommandsAskThePeerThatIsNamed(t *testing.T) {
	chain := newEthChain(t)
	server, _ := startEth(t, eth.Config{Backend: chain})
	running, h := startEth(t, eth.Config{Backend: chain.Observer})
	joined := h.Subscribe(0)
	defer joined.Close()
	running.AddPeer(server.Self())
	if _, err := joined.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "ipc")
	endpoint, err := admin.Listen(admin.Config{IPCPath: socket, APIs: h.APIs()})
	if err != nil {
		t.Fatal(err)
	}
	defer endpoint.Close()
	for _, args := range []string{"head", "headers 0 --count 1"} {
		id := server.Self().ID().String()[:9]
		for _, id := range []string{id, "0x" + id} {
			if got := sennit(t, strings.Fields("eth "+args+" --rpc "+socket+" --peer "+id)...); got.status != exitOK {
				t.Errorf("%+v", got)
			}
		}
		id = running.Self().ID().String()[:9]
		if got := sennit(t, strings.Fields("eth "+args+" --rpc "+socket+" --peer "+id)...); got.status != exitFailed || !strings.Contains(got.stderr, "no peer") {
			t.Errorf("%+v", got)
		}
	}
}

// watch runs `sennit eth watch` until it has printed a line that contains a text, and returns all lines until then.
func watch(t *testing.T, stop string, args ...string) []string {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	out, in := io.Pipe()
	done := make(chan int, 1)
	var stderr bytes.Buffer
	go func() {
		done <- run(ctx, append([]string{"eth", "watch"}, args...), in, &stderr)
		in.Close()
	}()
	var lines []string
	for scanner := bufio.NewScanner(out); scanner.Scan(); {
		lines = append(lines, scanner.Text())
		if strings.Contains(scanner.Text(), stop) {
			cancel()
		}
	}
	if status := <-done; status != exitOK {
		t.Fatalf("status %d, %s, %q", status, &stderr, lines)
	}
	return lines
}

func TestEthWatchShowsWhatIsAnnounced(t *testing.T) {
	chain := newEthChain(t)
	server, h := startEth(t, eth.Config{Backend: chain, Versions: []uint{68}})
	tell := func() {
		joined := h.Subscribe(0)
		for e := range joined.Events(t.Context()) {
			if _, ok := e.(*eth.PeerJoined); ok {
				break
			}
		}
		joined.Close()
		h.Keep(chain.waiting) // nothing happens: there is no pool
		tx, err := chain.waiting.Decode()
		if err != nil {
			t.Error(err)
			return
		}
		if err := h.Broadcast(tx); err != nil {
			t.Error(err)
		}
		h.AnnounceBlocks(eth.BlockInfo{Hash: common.Hash{9}, Number: 12345})
	}
	told := make(chan struct{})
	go func() { defer close(told); tell() }()
	lines := watch(t, "0x0900", "--node", server.Self().URLv4(), "--only", "joined,block,transaction")
	<-told
	text := strings.Join(lines, "\n")
	for _, want := range []string{"joined       eth/68  \"tested\\x1b\"", "block        0x0900", "12345  first"} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in\n%s", want, text)
		}
	}

	told = make(chan struct{})
	go func() { defer close(told); tell() }()
	lines = watch(t, chain.waiting.Hash.String(), "--json", "--node", server.Self().URLv4(), "--only", "transaction")
	<-told
	var record eth.EventRecord
	if err := json.Unmarshal([]byte(lines[0]), &record); err != nil || *record.Hash != chain.waiting.Hash || !record.First || !record.Full || record.Size != chain.waiting.Size {
		t.Errorf("%v: %s", err, lines[0])
	}
}

func TestEthWatchSaysThatANodeCannotBeReached(t *testing.T) {
	gone, _ := startEth(t, eth.Config{Backend: newEthChain(t)})
	gone.Stop() // nobody listens there any more
	other, _ := startEth(t, eth.Config{Backend: newEthChain(t)})
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	at := netip.MustParseAddrPort(other.ListenAddr)
	for stage, node := range map[string]*enode.Node{
		"dial": gone.Self(),
		"rlpx": enode.NewV4(&key.PublicKey, at.Addr().AsSlice(), int(at.Port()), 0), // somebody listens there, but another node
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		stderr, w := io.Pipe()
		status := make(chan int, 1)
		go func() {
			status <- run(ctx, []string{"eth", "watch", "--node", node.URLv4()}, io.Discard, w)
			w.Close()
		}()
		lines := bufio.NewScanner(stderr)
		lines.Scan()
		want := "no link to node " + node.ID().TerminalString() + " yet: " + stage + ": "
		if line := lines.Text(); !strings.HasPrefix(line, want) || !strings.HasSuffix(line, "; it is tried again") {
			t.Errorf("%q, want %q", line, want)
		}
		cancel()
		for lines.Scan() {
			t.Errorf("and then %q", lines.Text())
		}
		if s := <-status; s != exitOK {
			t.Errorf("status %d", s)
		}
	}
}

func TestEthWatchShowsWhatTheRunningNodeHears(t *testing.T) {
	chain := newEthChain(t)
	server, h := startEth(t, eth.Config{Backend: chain, Versions: []uint{68}})
	running, node := startEth(t, eth.Config{Backend: chain.Observer})
	joined := h.Subscribe(0)
	defer joined.Close()
	running.AddPeer(server.Self())
	if _, err := joined.Next(t.Context()); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(t.TempDir(), "ipc")
	endpoint, err := admin.Listen(admin.Config{IPCPath: socket, APIs: node.APIs()})
	if err != nil {
		t.Fatal(err)
	}
	defer endpoint.Close()
	ctx, cancel := context.WithCancel(t.Context())
	told := make(chan struct{})
	go func() { // the subscription begins some time after the command: what was said before is not shown
		defer close(told)
		for n := uint64(1); ctx.Err() == nil; n++ {
			h.AnnounceBlocks(eth.BlockInfo{Hash: common.Hash{7, byte(n), byte(n >> 8)}, Number: n})
			runtime.Gosched()
		}
	}()
	lines := watch(t, "0x07", "--rpc", socket, "--only", "block", "--all")
	cancel()
	<-told
	if len(lines) == 0 || !strings.Contains(lines[0], "block        0x07") {
		t.Errorf("%q", lines)
	}
	lines = watch(t, " head  ", "--rpc", socket)
	if len(lines) < 2 || !strings.Contains(lines[0], "present      eth/68  \"tested\\x1b\"") || !strings.Contains(lines[1], "head         0x07") {
		t.Errorf("of the peer that is there: %q", lines)
	}
	endpoint.Close()
	if got := sennit(t, "eth", "watch", "--rpc", socket); got.status != exitFailed {
		t.Errorf("%+v", got)
	}
}

func TestEthCommandsRefuseWhatCannotBeMeant(t *testing.T) {
	tests := []struct {
		args   string
		status int
		want   string
	}{
		{"block", 2, "BLOCK is missing"},
		{"block 0x12", 2, `"0x12" is no block`},
		{"block -1", 2, ""},
		{"headers 1 --count 0", 2, "--count: 0 is not 1 to 1024"},
		{"headers 1 --count 1025", 2, "--count: 1025 is not 1 to 1024"},
		{"tx 12", 2, `"12" is no hash`},
		{"head --node nonsense", 2, `--node: node "nonsense": want an enode URL`},
		{"head --node a --node b", 2, "one node is asked at a time"},
		{"head --node a --rpc b", 2, "say one of them"},
		{"head --timeout 0s", 2, "--timeout: 0s is no time to wait"},
		{"head --eth-version 67 --node enode://" + strings.Repeat("0", 128) + "@127.0.0.1:1", 2, ""},
		{"watch --only nonsense", 2, `--only: "nonsense" is none of transaction`},
		{"watch --network nonsense", 2, `--network: "nonsense" is none of mainnet`},
		{"head --rpc /no/such/socket", 1, "no running node at /no/such/socket"},
		{"watch --rpc /no/such/socket", 1, "no running node at /no/such/socket"},
	}
	for _, tt := range tests {
		got := sennit(t, strings.Fields("eth "+tt.args)...)
		if got.status != tt.status || !strings.Contains(got.stderr, tt.want) {
			t.Errorf("eth %s: %+v, want %d with %q", tt.args, got, tt.status, tt.want)
		}
	}
}

// told is a node that says what it is given, one each 400 ms.
type told struct {
	ethcmd.Node
	records []*eth.EventRecord
}

func (n told) Watch(_ context.Context, got func(*eth.EventRecord) error) error {
	for _, r := range n.records {
		if err := got(r); err != nil {
			return err
		}
		time.Sleep(400 * time.Millisecond) // of the bubble
	}
	return io.EOF
}

func TestEthWatchSaysHowMuchItHasLost(t *testing.T) {
	hash := common.Hash{7}
	node := told{records: []*eth.EventRecord{
		{Event: "lost", Lost: 3}, {Event: "lost", Lost: 4}, {Event: "lost", Lost: 5},
		{Event: "transaction", Hash: &hash}, // which is not wanted, but by then a second has passed
		{Event: "lost", Lost: 1}, {Event: "lost", Lost: 1},
	}}
	for asJSON, want := range map[bool][2]string{
		false: {"", strings.Join([]string{"lost events: 3", "lost events: 9", "lost events: 2", ""}, "; more is heard than the output takes\n")},
		true: {`{"event":"lost","at":"0001-01-01T00:00:00Z","lost":3}
{"event":"lost","at":"0001-01-01T00:00:00Z","lost":4}
{"event":"lost","at":"0001-01-01T00:00:00Z","lost":5}
{"event":"lost","at":"0001-01-01T00:00:00Z","lost":1}
{"event":"lost","at":"0001-01-01T00:00:00Z","lost":1}
`, ""},
	} {
		synctest.Test(t, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			cmd := newEthWatch()
			cmd.SetOut(&stdout)
			cmd.SetErr(&stderr)
			cmd.SetContext(t.Context())
			err := watchEth(cmd, node, asJSON, func(r *eth.EventRecord) bool { return r.Event == "lost" })
			if got := [2]string{stdout.String(), stderr.String()}; err != io.EOF || got != want {
				t.Errorf("JSON %v: %v, %q, want %q", asJSON, err, got, want)
			}
		})
	}
}
