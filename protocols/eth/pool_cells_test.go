package eth

import (
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

func TestCellsAndTransactionsAreJoinedInOrder(t *testing.T) {
	key := poolKey(t, 1)
	var full, short []Transaction
	var cells [][]rlp.RawValue
	for i := range byte(3) {
		tx := blobTx(t, key, uint64(i), 10, types.BlobSidecarVersion1, i)
		list, err := tx.Cells(DataCells())
		if err != nil {
			t.Fatal(err)
		}
		full, short, cells = append(full, tx), append(short, tx.WithoutBlobs()), append(cells, list)
	}
	hashes := func(i ...int) (list []common.Hash) {
		for _, j := range i {
			list = append(list, full[j].Hash)
		}
		return list
	}
	for _, tt := range []struct {
		name   string
		answer CellsAnswer
		want   int // transactions; -1: an error
	}{
		{"all", CellsAnswer{hashes(0, 1, 2), cells, DataCells()}, 3},
		{"none", CellsAnswer{nil, nil, DataCells()}, 0},
		{"without the second", CellsAnswer{hashes(0, 2), [][]rlp.RawValue{cells[0], cells[2]}, DataCells()}, 2},
		{"of another mask", CellsAnswer{hashes(0, 1, 2), cells, AllCells()}, -1},
		{"out of order", CellsAnswer{hashes(1, 0), [][]rlp.RawValue{cells[1], cells[0]}, DataCells()}, -1},
		{"twice", CellsAnswer{hashes(1, 1), [][]rlp.RawValue{cells[1], cells[1]}, DataCells()}, -1},
		{"exchanged", CellsAnswer{hashes(0, 1), [][]rlp.RawValue{cells[1], cells[0]}, DataCells()}, -1},
		{"not asked for", CellsAnswer{[]common.Hash{{1}}, cells[:1], DataCells()}, -1},
	} {
		got, err := joinCells(short, &tt.answer)
		if (err != nil) != (tt.want < 0) || err == nil && len(got) != tt.want {
			t.Errorf("%s: %d transactions, %v", tt.name, len(got), err)
		}
	}
}

func TestCellsAreAskedForInBatchesThatFitAnAnswer(t *testing.T) {
	key := poolKey(t, 1)
	many := make([]byte, 20)
	txs := []Transaction{
		blobTx(t, key, 0, 10, types.BlobSidecarVersion1, many[:9]...), blobTx(t, key, 1, 10, types.BlobSidecarVersion1, many[:7]...),
		blobTx(t, key, 2, 10, types.BlobSidecarVersion1, many...), // too many for any answer
		blobTx(t, key, 3, 10, types.BlobSidecarVersion1, 1), blobTx(t, key, 4, 10, types.BlobSidecarVersion1, many[:16]...),
	}
	var sizes []int
	for rest := txs; len(rest) > 0; {
		var batch []Transaction
		batch, rest = cutCells(rest)
		sizes = append(sizes, len(batch))
	}
	if len(sizes) != 3 || sizes[0] != 2 || sizes[1] != 1 || sizes[2] != 1 {
		t.Errorf("batches of %v transactions", sizes)
	}
}

func TestWhatAnAnnouncementSaysOfBlobs(t *testing.T) {
	key := poolKey(t, 1)
	blob, plain := blobTx(t, key, 0, 10, types.BlobSidecarVersion1, 1), signed(t, key, transfer(1, 1))
	if old, now := blob.infoFor(71), blob.infoFor(72); old != blob.TxInfo || now.Size >= old.Size || now.Hash != blob.Hash {
		t.Errorf("71: %+v, 72: %+v", old, now)
	}
	if plain.infoFor(72) != plain.TxInfo {
		t.Error("a transaction without blobs is another in version 72")
	}
	both := []TxInfo{plain.TxInfo, blob.TxInfo}
	if maskFor(both) != AllCells() || maskFor(both[:1]) != (CellMask{}) {
		t.Error("the mask is not about blobs")
	}
	missing := DataCells()
	missing[3] ^= 4
	for _, tt := range []struct {
		mask CellMask
		want int
	}{{AllCells(), 2}, {DataCells(), 2}, {missing, 1}, {CellMask{}, 1}} {
		if got := fetchable([]TxInfo{plain.TxInfo, blob.TxInfo}, tt.mask); len(got) != tt.want || got[0] != plain.TxInfo {
			t.Errorf("mask %x: %v", tt.mask, got)
		}
	}
}

func TestAPeerThatHasNoCellsIsNotWaitedFor(t *testing.T) {
	chain := newMemChain(t, 3)
	server := startNode(t, Config{Backend: chain, Versions: []uint{72}})
	client, pool := startPooled(t, chain, 72)
	peer, _ := connect(t, client, server)
	tx := blobTx(t, poolKey(t, 1), 1, 10, types.BlobSidecarVersion1, 1)
	short := []Transaction{tx.WithoutBlobs()}
	done := make(chan struct{})
	peer.fetchCells(short, func() { close(done) })
	<-done
	if pool.Has(tx.Hash) {
		t.Error("the transaction is refused for good, or kept")
	}
	server.Stop()
	await[*PeerLeft](t, client.sub)
	told := false
	peer.fetchCells(short, func() { told = true })
	if !told {
		t.Error("nobody is told that a peer which is gone has no cells")
	}
}

func TestWhatIsDeliveredIsJudgedAtOnce(t *testing.T) {
	key := poolKey(t, 1)
	blob, plain := blobTx(t, key, 0, 10, types.BlobSidecarVersion1, 1), signed(t, key, transfer(1, 1))
	short := blob.WithoutBlobs()
	for name, tt := range map[string]struct {
		tx      Transaction
		version uint
		ok      bool
	}{
		"whole": {blob, 71, true}, "whole from 72 on": {blob, 72, false}, "short": {short, 72, true}, "short before 72": {short, 71, false}, "plain": {plain, 72, true},
	} {
		if err := tt.tx.checkDelivered(tt.version); (err == nil) != tt.ok || err != nil && (!errors.Is(err, ErrSidecar) || !errors.Is(err, ErrBadAnswer)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if a, b := splitBlobs([]Transaction{blob, plain, blob}); len(a) != 1 || len(b) != 2 {
		t.Errorf("%d without blobs, %d with", len(a), len(b))
	}
}
