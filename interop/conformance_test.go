package interop

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/core"

	"github.com/sennit-net/sennit/interop/counterparts"
	"github.com/sennit-net/sennit/protocols/eth/chainfile"
)

const (
	devp2pDir      = "counterparts/devp2p"
	devp2pPackage  = "github.com/ethereum/go-ethereum/cmd/devp2p"
	conformanceDoc = "../docs/conformance.md"
)

// TestConformance runs go-ethereum's conformance suite for eth against the program with a chain from files, and holds its
// verdicts against the table in docs/conformance.md. The suite gives a node 2 s for everything, which on a busy machine is not
// always enough: what fails once is run again.
func TestConformance(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the test stops the program with SIGTERM, which Windows does not have")
	}
	chain := testChain(t)
	receipts := filepath.Join(t.TempDir(), "receipts.rlp")
	counterparts.Start(t, "devp2p", ".", filepath.Join(chain, "genesis.json"), filepath.Join(chain, "chain.rlp"), receipts).Exited(patience)
	if _, err := os.Stat(receipts); err != nil {
		t.Fatal(err)
	}
	left := documented(t)
	var out string
	for range 3 {
		if out = conform(t, chain, receipts, left); len(left) == 0 {
			return
		}
		t.Logf("again: %v", slices.Sorted(maps.Keys(left)))
	}
	t.Errorf("%s says that they pass: %v\n%s", conformanceDoc, slices.Sorted(maps.Keys(left)), out)
}

// conform runs those of the suite's tests that are left, against a program of their own, and takes away those that pass.
func conform(t *testing.T, chain, receipts string, left map[string]bool) string {
	t.Helper()
	p := startProgram(t, "--eth", "--eth-genesis", filepath.Join(chain, "genesis.json"), "--eth-chain", filepath.Join(chain, "chain.rlp"),
		"--eth-receipts", receipts, "--eth-relay", "--log-level", "debug")
	out := runSuite(t, chain, p.node.URLv4(), slices.Collect(maps.Keys(left)))
	p.stop(t)
	for _, m := range regexp.MustCompile(`(?m)^-- OK (\S+)`).FindAllStringSubmatch(out, -1) {
		delete(left, m[1])
	}
	for _, skipped := range regexp.MustCompile(`(?m)^ skipping: .*`).FindAllString(out, -1) {
		t.Errorf("the suite has left out something:%s", skipped)
	}
	return fmt.Sprintf("the suite:\n%s\nthe program:\n%s", out, p.log)
}

// documented reads the tests that pass from the table of all: | name | passes or fails | ... |.
func documented(t *testing.T) map[string]bool {
	t.Helper()
	text, err := os.ReadFile(conformanceDoc)
	if err != nil {
		t.Fatal(err)
	}
	table, rows := map[string]bool{}, 0
	for _, m := range regexp.MustCompile("(?m)^\\| `(\\w+)` \\| (passes|fails) \\|").FindAllStringSubmatch(string(text), -1) {
		rows++
		if m[2] == "passes" {
			table[m[1]] = true
		}
	}
	if rows != suiteTests {
		t.Errorf("%s has %d tests, the suite %d", conformanceDoc, rows, suiteTests)
	}
	return table
}

// testChain is the directory with the suite's chain, which comes with its source.
func testChain(t *testing.T) string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "-f", "{{.Dir}}", devp2pPackage)
	list.Dir = devp2pDir
	out, err := list.Output()
	if err != nil {
		t.Fatalf("where is %s? %v", devp2pPackage, err)
	}
	return filepath.Join(strings.TrimSpace(string(out)), "internal", "ethtest", "testdata")
}

// suiteTests is how many tests the suite has.
const suiteTests = 24

// runSuite runs some of the tests for eth. The suite tells an execution engine of the head before it sends transactions, and does not
// look at the answer: a server that answers anything will do.
func runSuite(t *testing.T, chain, enode string, tests []string) string {
	t.Helper()
	exe := filepath.Join(t.TempDir(), "devp2p")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", exe, devp2pPackage)
	build.Dir = devp2pDir
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("devp2p does not build: %v\n%s", err, out)
	}
	engine := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "{}") }))
	defer engine.Close()
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	suite := exec.CommandContext(ctx, exe, "rlpx", "eth-test", "--chain", chain, "--node", enode, "--engineapi", engine.URL, "--jwtsecret", strings.Repeat("00", 32),
		"--run", "^("+strings.Join(tests, "|")+")$")
	out, _ := suite.CombinedOutput() // fails if a test does; the verdicts are in the output
	if ctx.Err() != nil {
		t.Errorf("the suite does not come to an end")
	}
	return string(out)
}

// TestAGenesisFileMakesTheBlockThatGoEthereumMakes compares hashes, with the forks that add to the header active in the first
// block or not.
func TestAGenesisFileMakesTheBlockThatGoEthereumMakes(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(testChain(t), "genesis.json"))
	if err != nil {
		t.Fatal(err)
	}
	cases := map[string]*core.Genesis{"mainnet": core.DefaultGenesisBlock(), "sepolia": core.DefaultSepoliaGenesisBlock(), "hoodi": core.DefaultHoodiGenesisBlock()}
	for _, genesisTime := range []uint64{0, 59, 60, 120, 180, 300, 359, 360, 1000} {
		for _, extra := range []bool{false, true} {
			g := new(core.Genesis)
			if err := json.Unmarshal(text, g); err != nil {
				t.Fatal(err)
			}
			g.Timestamp = genesisTime
			if extra {
				one := uint64(1)
				g.BaseFee, g.ExcessBlobGas, g.BlobGasUsed, g.SlotNumber, g.GasLimit = g.Difficulty, &one, &one, &one, 0
				g.ParentHash, g.Mixhash, g.Nonce, g.GasUsed = g.ToBlock().Hash(), g.ToBlock().Hash(), 7, 9
			}
			cases[fmt.Sprintf("time %d, extra fields %v", genesisTime, extra)] = g
		}
	}
	before := new(core.Genesis)
	if err := json.Unmarshal(text, before); err != nil {
		t.Fatal(err)
	}
	before.Config.LondonBlock, before.Config.ShanghaiTime, before.Config.CancunTime = before.Config.ChainID, nil, nil
	cases["before London"] = before
	for name, want := range cases {
		data, err := json.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got, err := chainfile.ParseGenesis(data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if hash := want.ToBlock().Hash(); got.Hash != hash {
			t.Errorf("%s: %v, go-ethereum makes %v", name, got.Hash, hash)
		}
	}
}
