package eth

import (
	"bytes"
	"errors"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

func TestBlobTransactionsCrossNodesThatHandThemOnInTwoParts(t *testing.T) {
	for name, versions := range map[string][]uint{"whole, in parts, whole": {71, 72, 68}, "in parts twice": {72, 72}} {
		t.Run(name, func(t *testing.T) {
			first, pools := chainOfNodes(t, versions...)
			for nonce, content := range [][]byte{{1}, {2, 3}} {
				tx := blobTx(t, poolKey(t, 1), uint64(nonce), 10, types.BlobSidecarVersion1, content...)
				pools[0].TxPool.Add([]Transaction{tx})
				full, err := tx.Decode()
				if err != nil {
					t.Fatal(err)
				}
				if err := first.h.Broadcast(full); err != nil {
					t.Fatal(err)
				}
				for _, pool := range pools[1:] {
					pool.await(t, tx)
				}
			}
		})
	}
}

func TestAPeerWithWrongCellsIsDropped(t *testing.T) {
	chain := newMemChain(t, 3)
	good := blobTx(t, poolKey(t, 1), 1, 10, types.BlobSidecarVersion1, 1, 2)
	bad := mangle(t, good, func(s *types.BlobTxSidecar) { s.Blobs[1][5]++ })
	a := startNode(t, Config{Backend: liar{chain, bad}, Versions: []uint{72}})
	b, pool := startPooled(t, chain, 72)
	connect(t, b, a)
	full, err := bad.Decode()
	if err != nil {
		t.Fatal(err)
	}
	if err := a.h.Broadcast(full); err != nil {
		t.Fatal(err)
	}
	if left := await[*PeerLeft](t, b.sub); left.Err == nil {
		t.Error("the peer left in good order")
	}
	if pool.Has(good.Hash) {
		t.Error("the transaction is refused for good, or kept")
	}
}

func TestCellsAreFetchedInAsManyRequestsAsItTakes(t *testing.T) {
	chain, key := newMemChain(t, 3), poolKey(t, 1)
	server, source := startPooled(t, chain, 72)
	client, pool := startPooled(t, chain, 72)
	peer, _ := connect(t, client, server)
	var short, full []Transaction
	for nonce, blobs := range []int{9, 7, 3} { // the first two make one request
		tx := blobTx(t, key, uint64(nonce), 10, types.BlobSidecarVersion1, make([]byte, blobs)...)
		full, short = append(full, tx), append(short, tx.WithoutBlobs())
	}
	source.TxPool.Add(full[1:]) // the server has not all of them
	done := make(chan struct{})
	peer.fetchCells(short, func() { close(done) })
	<-done
	for i, tx := range full {
		if got := pool.PooledTransaction(tx.Hash); bytes.Equal(got, tx.Raw) != (i > 0) {
			t.Errorf("transaction %d: %d bytes", i, len(got))
		}
	}
}

func TestWrongCellsAreTheEndOfAPeer(t *testing.T) {
	chain := newMemChain(t, 3)
	good := blobTx(t, poolKey(t, 1), 1, 10, types.BlobSidecarVersion1, 1, 2)
	bad := mangle(t, good, func(s *types.BlobTxSidecar) { s.Blobs[1][5]++ })
	server := startNode(t, Config{Backend: liar{chain, bad}, Versions: []uint{72}})
	client, pool := startPooled(t, chain, 72)
	peer, _ := connect(t, client, server)
	done := make(chan struct{})
	peer.fetchCells([]Transaction{good.WithoutBlobs()}, func() { close(done) })
	<-done
	if left := await[*PeerLeft](t, client.sub); !errors.Is(left.Err, ErrSidecar) {
		t.Errorf("the peer left with %v", left.Err)
	}
	if pool.Has(good.Hash) {
		t.Error("the transaction is refused for good, or kept")
	}
}

// liar is a chain whose pooled transactions have other blobs than their proofs are of.
type liar struct {
	*memChain
	tx Transaction
}

func (c liar) PooledTransaction(common.Hash) rlp.RawValue { return c.tx.Raw }
