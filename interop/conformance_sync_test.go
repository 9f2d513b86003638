package interop

import (
	"fmt"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/sennit-net/sennit/interop/counterparts"
	"github.com/sennit-net/sennit/protocols/eth/chainfile"
)

// TestGoEthereumSyncsFromAChainInFiles has a node of go-ethereum that knows the genesis block download the suite's chain from
// the program, and execute it: every header and body was what it has to be, down to the roots of the state. The program serves
// what go-ethereum has exported.
func TestGoEthereumSyncsFromAChainInFiles(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("the test stops the program with SIGTERM, which Windows does not have")
	}
	dir := testChain(t)
	genesis, receipts, export := filepath.Join(dir, "genesis.json"), filepath.Join(t.TempDir(), "receipts.rlp"), filepath.Join(t.TempDir(), "export.gz")
	counterparts.Start(t, "devp2p", ".", genesis, filepath.Join(dir, "chain.rlp"), receipts, export).Exited(patience)
	chain, err := chainfile.Open(chainfile.Options{Genesis: genesis, Blocks: []string{export}, Receipts: receipts})
	if err != nil {
		t.Fatal(err)
	}
	head := chain.Head()
	if err := chain.Close(); err != nil {
		t.Fatal(err)
	}
	p := startProgram(t, "--eth", "--eth-genesis", genesis, "--eth-chain", export, "--eth-receipts", receipts)
	geth := counterparts.Start(t, "devp2p", "follow", genesis, p.node.URLv4(), head.Hash.Hex())
	want := fmt.Sprintf("HEAD %d %v", head.Number, head.Hash)
	if got := geth.Await(`^(HEAD|ERR) .*`, patience)[0]; got != want {
		t.Errorf("go-ethereum says %q, want %q; the program:\n%s", got, want, p.log)
	}
	geth.Exited(patience)
	p.stop(t)
}
