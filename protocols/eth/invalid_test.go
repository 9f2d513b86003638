package eth

import (
	"errors"
	"math/big"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/rlp"
)

// invalidTxs are transactions of another chain, each with a nonce of its own from a first on.
func invalidTxs(t *testing.T, first, n int) []Transaction {
	t.Helper()
	key, signer := poolKey(t, 1), types.LatestSignerForChainID(big.NewInt(99))
	list := make([]Transaction, n)
	for i := range list {
		list[i] = mustTx(t, types.MustSignNewTx(key, signer, &types.DynamicFeeTx{
			ChainID: big.NewInt(99), Nonce: uint64(first + i), GasTipCap: big.NewInt(1), GasFeeCap: big.NewInt(1), Gas: 21000, To: &common.Address{1},
		}))
	}
	return list
}

func raws(txs []Transaction) []rlp.RawValue {
	list := make([]rlp.RawValue, len(txs))
	for i := range txs {
		list[i] = txs[i].Raw
	}
	return list
}

func infosOf(txs []Transaction) []TxInfo {
	list := make([]TxInfo, len(txs))
	for i := range txs {
		list[i] = txs[i].TxInfo
	}
	return list
}

func TestAPeerThatSendsManyInvalidTransactionsIsDropped(t *testing.T) {
	chain := newMemChain(t, 3)
	many := invalidTxs(t, 0, 1000)
	for _, tt := range []struct {
		name    string
		sent    [][]Transaction
		checked uint64 // invalid ones that the pool has looked at
		dropped bool
	}{
		{"as many as may be", [][]Transaction{many[:100], many[100:maxInvalid]}, maxInvalid, false},
		{"the same ones again", [][]Transaction{many[:maxInvalid], many[:maxInvalid], many[:maxInvalid]}, maxInvalid, false},
		{"one more", [][]Transaction{many[:maxInvalid], many[maxInvalid : maxInvalid+1]}, maxInvalid + 1, true},
		{"many in a message", [][]Transaction{many}, maxInvalid + keepBatch, true},
	} {
		t.Run(tt.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHandler(t, Config{Backend: chain, Pool: newTestPool(t, TxPoolConfig{})})
				defer h.Close()
				f := dialFar(t, h, 69, 1).shake(chain)
				for _, txs := range tt.sent {
					f.send(&Transactions{Txs: raws(txs)})
				}
				if tt.dropped {
					if err := f.end(); !errors.Is(err, errInvalidTxs) {
						t.Errorf("the link ended with %v", err)
					}
				}
				synctest.Wait()
				want := Stats{InvalidTxs: tt.checked}
				if tt.dropped {
					want.Breaches = 1
				}
				if s := h.Stats(); s != want || len(h.Peers()) == 0 != tt.dropped {
					t.Errorf("%+v, want %+v, with %d peers", s, want, len(h.Peers()))
				}
			})
		})
	}
}

func TestAPeerWhoseTransactionsAreMostlyInvalidIsNotAskedForMoreForAWhile(t *testing.T) {
	chain := newMemChain(t, 3)
	bad, good := invalidTxs(t, 0, 5), make([]Transaction, 16)
	for i := range good {
		good[i] = signed(t, poolKey(t, 2), transfer(uint64(i), 100))
	}
	for name, tt := range map[string]struct {
		answer []Transaction
		wait   time.Duration // until it is asked again
	}{
		"a quarter is invalid":  {append(good[:12:12], bad[:4]...), 0},
		"more is":               {append(good[:12:12], bad[:5]...), invalidPause},
		"one of one is invalid": {bad[:1], 0},
		"two of three are":      {append(good[:1:1], bad[:2]...), 0},
		"three of three are":    {bad[:3], 0},
		"four of four are":      {bad[:4], invalidPause},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				h := newHandler(t, Config{Backend: chain, Pool: newTestPool(t, TxPoolConfig{})})
				defer h.Close()
				f := dialFar(t, h, 69, 1).shake(chain)
				f.send(&Announcement{Txs: infosOf(tt.answer)})
				pooled(f, tt.answer...)
				begin := time.Now()
				f.send(&Announcement{Txs: infosOf(good[15:])})
				q := expect[*GetByHash](f)
				if took := time.Since(begin); took != max(tt.wait, wantDelay) || q.Hashes[0] != good[15].Hash {
					t.Errorf("it is asked again after %v", took)
				}
			})
		})
	}
}

func TestInvalidTransactionsAreForgottenOneASecond(t *testing.T) {
	var v invalids
	now := time.Now()
	for range 1000 {
		now = now.Add(invalidLifetime)
		if !v.add(1, now) {
			t.Fatalf("one a second is too many: %+v", v)
		}
	}
	now = now.Add(time.Minute)
	for i, tt := range []struct {
		later time.Duration
		n     int
		want  bool
	}{
		{0, maxInvalid, true},
		{0, 1, false},
		{1500 * time.Millisecond, 0, true},
		{500 * time.Millisecond, 1, true}, // two are forgotten in two seconds, however they are counted
		{0, 1, false},
		{maxInvalid * time.Second, maxInvalid - 1, true},
	} {
		if now = now.Add(tt.later); v.add(tt.n, now) != tt.want {
			t.Errorf("step %d: %+v, want %v", i, v, tt.want)
		}
	}
}
