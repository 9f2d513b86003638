package ethcmd

import (
	"bytes"
	"math/big"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/protocols/eth"
)

// lines checks that text has exactly these lines; a line between slashes is a pattern.
func lines(t *testing.T, text string, want ...string) {
	t.Helper()
	got := strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	if len(got) != len(want) {
		t.Fatalf("%d lines, want %d:\n%s", len(got), len(want), text)
	}
	for i, line := range want {
		match := got[i] == line
		if pattern, ok := strings.CutPrefix(line, "/"); ok {
			match = regexp.MustCompile("^" + strings.TrimSuffix(pattern, "/") + "$").MatchString(got[i])
		}
		if !match {
			t.Errorf("line %d is %q, want %q", i+1, got[i], line)
		}
	}
}

func TestStatesAreATableForEachPeer(t *testing.T) {
	var out bytes.Buffer
	err := WriteStates(&out, []*eth.PeerState{
		{ID: "ab", Client: "old\x1b[2J", Version: 63, Network: 1, Genesis: common.Hash{1}, Head: common.Hash{2}, TD: (*hexutil.Big)(big.NewInt(17))},
		{ID: "cd", Client: "new", Version: 70, Network: 5, ForkID: "01020304/9", Head: common.Hash{3}, Number: 7, Earliest: 2},
	})
	if err != nil {
		t.Fatal(err)
	}
	lines(t, out.String(),
		"node id       ab", `client        "old\x1b[2J"`, "version       eth/63", "network       1", "genesis       "+common.Hash{1}.Hex(),
		"head hash     "+common.Hash{2}.Hex(), "difficulty    17 in total", "",
		"node id       cd", "client        new", "version       eth/70", "network       5", "genesis       "+common.Hash{}.Hex(), "fork id       01020304/9",
		"head          7", "head hash     "+common.Hash{3}.Hex(), "has           blocks 2 to 7")
}

// aTransaction is a signed one; without a recipient it makes a contract.
func aTransaction(t *testing.T, to *common.Address) (*types.Transaction, common.Address) {
	t.Helper()
	key, err := crypto.ToECDSA(bytes.Repeat([]byte{1}, 32))
	if err != nil {
		t.Fatal(err)
	}
	tx := types.MustSignNewTx(key, types.LatestSignerForChainID(big.NewInt(5)), &types.DynamicFeeTx{
		ChainID: big.NewInt(5), Nonce: 3, Gas: 21000, GasFeeCap: big.NewInt(9), To: to, Value: big.NewInt(42), Data: []byte{1, 2},
	})
	return tx, crypto.PubkeyToAddress(key.PublicKey)
}

func TestABlockIsATableWithALineForEachTransaction(t *testing.T) {
	to := common.Address{0xab}
	call, _ := aTransaction(t, &to)
	create, _ := aTransaction(t, nil)
	header := &types.Header{
		Number: big.NewInt(7), Time: 1_500_000_000, GasUsed: 5, GasLimit: 9, BaseFee: big.NewInt(11), Difficulty: big.NewInt(3), Extra: []byte("a\a"),
		WithdrawalsHash: &types.EmptyWithdrawalsHash,
	}
	block := &eth.Block{Header: header, Transactions: []*types.Transaction{call, create}, Withdrawals: []*types.Withdrawal{{}}, Size: 100}
	zeros := common.Hash{}.Hex()
	head := []string{
		"block         7", "hash          " + header.Hash().Hex(), "parent        " + zeros, `/time          2017-07-14 02:40:00 \(\d+ days ago\)/`,
		"state root    " + zeros, "coinbase      " + common.Address{}.Hex(), "gas           5 of 9 used", "base fee      11 wei", "difficulty    3", `extra         "a\a"`,
	}
	var out bytes.Buffer
	if err := WriteBlock(&out, block); err != nil {
		t.Fatal(err)
	}
	lines(t, out.String(), append(head, "size          100 bytes", "ommers        0", "withdrawals   1", "transactions  2",
		"  "+call.Hash().Hex()+"  type 2  to "+to.Hex()+"  42 wei", "  "+create.Hash().Hex()+"  type 2  to a new contract  42 wei")...)
	out.Reset()
	if err := WriteBlock(&out, &eth.Block{Header: header}); err != nil {
		t.Fatal(err)
	}
	lines(t, out.String(), append(head, "body          the node does not have it")...)
}

func TestHeadersAreALineEach(t *testing.T) {
	h := &types.Header{Number: big.NewInt(7), Time: 1_500_000_000, GasUsed: 21000}
	late := &types.Header{Number: big.NewInt(8), Time: 1 << 63}
	var out bytes.Buffer
	if err := WriteHeaders(&out, []*types.Header{h, late}); err != nil {
		t.Fatal(err)
	}
	lines(t, out.String(), "         7  "+h.Hash().Hex()+"  2017-07-14 02:40:00      21000 gas", `/         8  0x[0-9a-f]{64}  36812-02-20 00:36:16          0 gas/`)
}

func TestATransactionIsATable(t *testing.T) {
	tx, from := aTransaction(t, nil)
	var out bytes.Buffer
	if err := WriteTransaction(&out, tx); err != nil {
		t.Fatal(err)
	}
	lines(t, out.String(), "transaction   "+tx.Hash().Hex(), "type          2", "from          "+from.Hex(), "to            a new contract", "chain id      5",
		"nonce         3", "value         42 wei", "gas limit     21000", "fee cap       9 wei per gas", "data          2 bytes", `/size          \d+ bytes/`)
	out.Reset()
	if err := WriteTransaction(&out, types.NewTx(&types.LegacyTx{})); err != nil || !strings.Contains(out.String(), "from          unknown: ") {
		t.Errorf("without a signature: %v\n%s", err, &out)
	}
}

func TestWhatAPeerSaysIsALine(t *testing.T) {
	hash, kind, number := common.Hash{7}, hexutil.Uint64(2), uint64(12)
	at := time.Date(2026, 1, 2, 3, 4, 5, 678e6, time.Local)
	for _, tt := range []struct {
		record eth.EventRecord
		want   string
	}{
		{eth.EventRecord{Event: "transaction", Hash: &hash, Type: &kind, Size: 99, First: true}, hash.Hex() + "  type 2  99 bytes  first"},
		{eth.EventRecord{Event: "transaction", Hash: &hash, Full: true, After: 0.25}, hash.Hex() + "  type 0  in full  +250ms"},
		{eth.EventRecord{Event: "block", Hash: &hash, Number: &number, First: true, Full: true}, hash.Hex() + "  12  in full  first"},
		{eth.EventRecord{Event: "head", Hash: &hash, TD: (*hexutil.Big)(big.NewInt(5))}, hash.Hex() + "  ?  difficulty 5"},
		{eth.EventRecord{Event: "head", Hash: &hash, Number: &number}, hash.Hex() + "  12"},
		{eth.EventRecord{Event: "present", Version: 68, Client: "Geth"}, "eth/68  Geth"},
		{eth.EventRecord{Event: "joined", Version: 72, Client: "bell\a"}, `eth/72  "bell\a"`},
		{eth.EventRecord{Event: "left", Error: "\x9b31m"}, `"\x9b31m"`},
		{eth.EventRecord{Event: "block"}, common.Hash{}.Hex() + "  0  +0s"}, // what a foreign endpoint may leave out
	} {
		tt.record.At, tt.record.Peer = at, enode.ID{0xab, 0xcd, 0xef, 1}
		want := "03:04:05.678  abcdef01  " + tt.record.Event + strings.Repeat(" ", 13-len(tt.record.Event)) + tt.want
		if got := Line(&tt.record); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestATimeSaysHowLongAgoItWas(t *testing.T) {
	now := uint64(time.Now().Unix())
	for ago, want := range map[uint64]string{90: `\(1m3\ds ago\)`, 48 * 3600: `\(48h0m\ds ago\)`, 10 * 24 * 3600: `\(10 days ago\)`} {
		if got := when(now - ago); !regexp.MustCompile(want).MatchString(got) {
			t.Errorf("%d s ago is %s", ago, got)
		}
	}
}

func TestLossesAreToldOfOnceASecond(t *testing.T) {
	var out bytes.Buffer
	l, now := Losses{Out: &out}, time.Now()
	l.Add(0, now)
	l.Add(2, now)
	l.Add(3, now.Add(time.Millisecond))
	l.Add(4, now.Add(2*time.Millisecond))
	l.Add(0, now.Add(lossTelling))
	l.Tell()
	l.Add(1, now.Add(lossTelling+1))
	l.Tell()
	rest := "; more is heard than the output takes"
	lines(t, out.String(), "lost events: 2"+rest, "lost events: 7"+rest, "lost events: 1"+rest)
}
