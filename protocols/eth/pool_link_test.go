package eth

import (
	"bytes"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// pooledChain is a chain with a pool beside it.
type pooledChain struct {
	*memChain
	pool *TxPool
}

func (c pooledChain) PooledTransaction(hash common.Hash) rlp.RawValue {
	return c.pool.PooledTransaction(hash)
}

// toldPool is a pool that tells what it has taken.
type toldPool struct {
	*TxPool
	taken chan Transaction
}

func (p *toldPool) Add(txs []Transaction) []Verdict {
	verdicts := p.TxPool.Add(txs)
	for i := range txs {
		if verdicts[i] == TxKept {
			p.taken <- txs[i]
		}
	}
	return verdicts
}

// startPooled starts a node with a pool of its own.
func startPooled(t *testing.T, chain *memChain, versions ...uint) (*node, *toldPool) {
	t.Helper()
	pool := &toldPool{newTestPool(t, TxPoolConfig{}), make(chan Transaction, 16)}
	return startNode(t, Config{Backend: pooledChain{chain, pool.TxPool}, Pool: pool, Versions: versions}), pool
}

// await waits until the pool takes a transaction.
func (p *toldPool) await(t *testing.T, want Transaction) {
	t.Helper()
	select {
	case tx := <-p.taken:
		if tx.Hash != want.Hash || !bytes.Equal(tx.Raw, want.Raw) || !bytes.Equal(p.PooledTransaction(tx.Hash), want.Raw) {
			t.Fatalf("the pool takes %v, want %v as it was", tx.Hash, want.Hash)
		}
	case <-time.After(patience):
		t.Fatalf("transaction %v of type %d does not come", want.Hash, want.Type)
	}
}

// chainOfNodes links a node to the next, each pair with a version of its own, and returns the first node and all pools.
func chainOfNodes(t *testing.T, versions ...uint) (*node, []*toldPool) {
	t.Helper()
	chain := newMemChain(t, 3)
	first, pool := startPooled(t, chain, versions[0])
	pools, last := []*toldPool{pool}, first
	for i, v := range versions {
		offered := []uint{v}
		if i+1 < len(versions) && versions[i+1] != v {
			offered = append(offered, versions[i+1])
		}
		next, pool := startPooled(t, chain, offered...)
		if _, p := connect(t, next, last); p.Version() != v {
			t.Fatalf("link %d speaks version %d, want %d", i, p.Version(), v)
		}
		pools, last = append(pools, pool), next
	}
	return first, pools
}

func TestTransactionsCrossANodeFromPoolToPool(t *testing.T) {
	first, pools := chainOfNodes(t, 68, 70)
	small := signed(t, poolKey(t, 1), transfer(1, 10))
	large := signed(t, poolKey(t, 1), with(func(tx *types.DynamicFeeTx) { tx.Nonce, tx.Data, tx.Gas = 2, make([]byte, maxDirect), 1_000_000 }))
	legacy := signed(t, poolKey(t, 2), &types.LegacyTx{GasPrice: common.Big1, Gas: 21000, To: &common.Address{1}})
	for _, tx := range []Transaction{small, large, legacy} {
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
}

func TestANewPeerHearsOfWhatIsInThePool(t *testing.T) {
	chain := newMemChain(t, 3)
	a, pool := startPooled(t, chain, 69)
	tx := signed(t, poolKey(t, 1), transfer(1, 10))
	pool.TxPool.Add([]Transaction{tx})
	b, other := startPooled(t, chain, 69)
	connect(t, b, a)
	other.await(t, tx)
}
