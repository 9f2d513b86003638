package eth

import (
	"bytes"
	"crypto/ecdsa"
	"math"
	"math/big"
	"runtime"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/params"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/google/go-cmp/cmp"
	"github.com/holiman/uint256"
)

// poolChain has all forks.
var poolChain = &ChainConfig{Params: params.MergedTestChainConfig}

func poolKey(t testing.TB, n byte) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.ToECDSA(append(make([]byte, 31), n))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// signed is a transaction as it crosses the link.
func signed(t testing.TB, key *ecdsa.PrivateKey, data types.TxData) Transaction {
	t.Helper()
	tx, err := types.SignNewTx(key, types.LatestSigner(poolChain.Params), data)
	if err != nil {
		t.Fatal(err)
	}
	out, err := NewTransaction(tx)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// transfer is a transaction that is good.
func transfer(nonce uint64, fee int64) *types.DynamicFeeTx {
	return &types.DynamicFeeTx{
		ChainID: poolChain.Params.ChainID, Nonce: nonce, GasTipCap: big.NewInt(fee), GasFeeCap: big.NewInt(fee), Gas: 21000,
		To: &common.Address{1}, Value: new(big.Int),
	}
}

// with changes a transaction.
func with(f func(*types.DynamicFeeTx)) *types.DynamicFeeTx {
	tx := transfer(0, 100)
	f(tx)
	return tx
}

func newTestPool(t testing.TB, cfg TxPoolConfig) *TxPool {
	t.Helper()
	cfg.Chain = poolChain
	p, err := NewTxPool(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestAPoolKeepsWhatIsRightByItself(t *testing.T) {
	key := poolKey(t, 1)
	chain := poolChain.Params.ChainID
	to := &common.Address{1}
	unprotected, err := types.SignNewTx(key, types.HomesteadSigner{}, &types.LegacyTx{GasPrice: big.NewInt(1), Gas: 21000, To: to})
	if err != nil {
		t.Fatal(err)
	}
	old, err := NewTransaction(unprotected)
	if err != nil {
		t.Fatal(err)
	}
	foreign, err := types.SignNewTx(key, types.LatestSignerForChainID(big.NewInt(99)), &types.DynamicFeeTx{ChainID: big.NewInt(99), GasFeeCap: big.NewInt(1), GasTipCap: big.NewInt(1), Gas: 21000, To: to})
	if err != nil {
		t.Fatal(err)
	}
	otherChain, err := NewTransaction(foreign)
	if err != nil {
		t.Fatal(err)
	}
	auth, err := types.SignSetCode(key, types.SetCodeAuthorization{ChainID: *uint256.MustFromBig(chain)})
	if err != nil {
		t.Fatal(err)
	}
	good := signed(t, key, transfer(0, 100))
	broken := bytes.Clone(good.Raw)
	broken[len(broken)-1] ^= 1 // another signature: of another sender, or of none; its hash is another one as well
	unsigned, err := NewTransaction(types.NewTx(transfer(0, 100)))
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name string
		tx   Transaction
		want Verdict
	}{
		{"legacy", signed(t, key, &types.LegacyTx{GasPrice: big.NewInt(1), Gas: 21000, To: to}), TxKept},
		{"legacy from before EIP-155", old, TxKept},
		{"access list", signed(t, key, &types.AccessListTx{ChainID: chain, GasPrice: big.NewInt(1), Gas: 21000 + 2400 + 1900, To: to, AccessList: types.AccessList{{StorageKeys: []common.Hash{{}}}}}), TxKept},
		{"dynamic fee", good, TxKept},
		{"creation", signed(t, key, with(func(tx *types.DynamicFeeTx) { tx.To, tx.Gas, tx.Data = nil, 53000+4+2, []byte{0} })), TxKept},
		{"set code", signed(t, key, &types.SetCodeTx{ChainID: uint256.MustFromBig(chain), Gas: 46000, GasTipCap: new(uint256.Int), GasFeeCap: new(uint256.Int), Value: new(uint256.Int), AuthList: []types.SetCodeAuthorization{auth}}), TxKept},
		{"data at its floor price", signed(t, key, with(func(tx *types.DynamicFeeTx) { tx.Data, tx.Gas = []byte{1, 0}, 21000+40+10 })), TxKept},

		{"of another chain", otherChain, TxInvalid},
		{"not signed", unsigned, TxInvalid},
		{"no transaction", Transaction{TxInfo: TxInfo{Hash: common.Hash{1}}, Raw: rlp.RawValue{0xc1, 0x80}}, TxInvalid},
		{"an unknown type", Transaction{TxInfo: TxInfo{Hash: common.Hash{2}, Type: 0x50}, Raw: rlp.RawValue{0x82, 0x50, 0xc0}}, TxRefused},
		{"the last nonce", signed(t, key, with(func(tx *types.DynamicFeeTx) { tx.Nonce = math.MaxUint64 })), TxInvalid},
		{"a tip above the fee", signed(t, key, with(func(tx *types.DynamicFeeTx) { tx.GasTipCap = big.NewInt(101) })), TxInvalid},
		{"a fee beyond 256 bits", signed(t, key, with(func(tx *types.DynamicFeeTx) { tx.GasFeeCap = new(big.Int).Lsh(common.Big1, 256) })), TxInvalid},
		{"a value beyond 256 bits", signed(t, key, with(func(tx *types.DynamicFeeTx) { tx.Value = new(big.Int).Lsh(common.Big1, 256) })), TxInvalid},
		{"too little gas", signed(t, key, with(func(tx *types.DynamicFeeTx) { tx.Gas = 20999 })), TxInvalid},
		{"too little gas for its data", signed(t, key, with(func(tx *types.DynamicFeeTx) { tx.Data, tx.Gas = []byte{1, 0}, 21000+49 })), TxRefused},
		{"too little gas for a creation", signed(t, key, with(func(tx *types.DynamicFeeTx) { tx.To, tx.Gas = nil, 52999 })), TxRefused},
		{"too large", signed(t, key, with(func(tx *types.DynamicFeeTx) { tx.Data, tx.Gas = make([]byte, maxTxBytes), 30_000_000 })), TxRefused},
	} {
		p := newTestPool(t, TxPoolConfig{})
		if got := p.Add([]Transaction{tt.tx}); got[0] != tt.want {
			_, err := p.rules.check(&tt.tx)
			t.Errorf("%s: the verdict is %v: %v", tt.name, got[0], err)
		}
		if got := p.Add([]Transaction{tt.tx}); !p.Has(tt.tx.Hash) || got[0] != TxRefused {
			t.Errorf("%s: the pool would take it again, with %v", tt.name, got[0])
		}
		if raw := p.PooledTransaction(tt.tx.Hash); (raw != nil) != (tt.want == TxKept) || raw != nil && !bytes.Equal(raw, tt.tx.Raw) {
			t.Errorf("%s: the pool serves %x", tt.name, raw)
		}
		if n := len(p.Pending(9)); (n == 1) != (tt.want == TxKept) {
			t.Errorf("%s: %d pending", tt.name, n)
		}
	}
	if tx, err := ReadTransaction(broken); err == nil && tx.Hash == good.Hash {
		t.Error("the hash does not depend on the signature")
	}
}

func TestOfOneSenderAndNonceThereIsOneTransaction(t *testing.T) {
	a, b := poolKey(t, 1), poolKey(t, 2)
	p := newTestPool(t, TxPoolConfig{})
	first := signed(t, a, transfer(7, 100))
	for _, tt := range []struct {
		name string
		tx   Transaction
		want bool
	}{
		{"the first", first, true},
		{"the first again", first, false},
		{"another nonce", signed(t, a, transfer(8, 100)), true},
		{"another sender", signed(t, b, transfer(7, 100)), true},
		{"the same fee", signed(t, a, with(func(tx *types.DynamicFeeTx) { tx.Nonce, tx.Gas = 7, 30000 })), false},
		{"almost a tenth more", signed(t, a, transfer(7, 109)), false},
		{"a tenth more fee alone", signed(t, a, with(func(tx *types.DynamicFeeTx) { tx.Nonce, tx.GasFeeCap = 7, big.NewInt(110) })), false},
		{"a tenth more", signed(t, a, transfer(7, 110)), true},
		{"what it took the place of", first, false},
	} {
		if got := p.Add([]Transaction{tt.tx})[0]; (got == TxKept) != tt.want || got == TxInvalid {
			t.Errorf("%s: the verdict is %v", tt.name, got)
		}
	}
	if n, size := p.Stats(); n != 3 || size < 3*poolOverhead || p.PooledTransaction(first.Hash) != nil {
		t.Errorf("%d transactions, %d bytes", n, size)
	}
	// With fees of nothing a tenth more is nothing more.
	p.Add([]Transaction{signed(t, a, transfer(9, 0))})
	if p.Add([]Transaction{signed(t, a, with(func(tx *types.DynamicFeeTx) {
		tx.Nonce, tx.GasTipCap, tx.GasFeeCap, tx.Gas = 9, new(big.Int), new(big.Int), 22000
	}))})[0] != TxRefused {
		t.Error("a transaction without fees was replaced by another")
	}
}

func TestAPoolIsBoundedInBytesAndTheOldestGoesFirst(t *testing.T) {
	key := poolKey(t, 1)
	const room = 10
	one := signed(t, key, transfer(1000, 100))
	p := newTestPool(t, TxPoolConfig{MaxBytes: room * (int64(len(one.Raw)) + poolOverhead)})
	var txs []Transaction
	for i := range uint64(25) {
		txs = append(txs, signed(t, key, transfer(1000+i, 100)))
	}
	if verdicts := p.Add(txs); slices.Contains(verdicts, TxRefused) {
		t.Errorf("not all were added: %v", verdicts)
	}
	for i, tx := range txs {
		if got, want := p.Has(tx.Hash), i >= len(txs)-room; got != want {
			t.Errorf("transaction %d is kept: %v", i, got)
		}
	}
	if n, size := p.Stats(); n != room || size > p.maxBytes {
		t.Errorf("%d transactions of %d bytes", n, size)
	}
	infos := func(list []Transaction) (out []TxInfo) {
		for _, tx := range list {
			out = append(out, tx.TxInfo)
		}
		return out
	}
	if diff := cmp.Diff(infos(txs[len(txs)-3:]), p.Pending(3)); diff != "" {
		t.Errorf("pending:\n%s", diff)
	}
	large := signed(t, key, with(func(tx *types.DynamicFeeTx) { tx.Nonce, tx.Data, tx.Gas = 1, make([]byte, 20<<10), 30_000_000 }))
	if p.Add([]Transaction{large})[0] != TxRefused || !p.Has(txs[24].Hash) {
		t.Error("a transaction larger than the pool was taken")
	}
}

func TestATransactionIsForgottenAfterItsLifetime(t *testing.T) {
	key := poolKey(t, 1)
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, TxPoolConfig{Lifetime: time.Hour})
		a, b := signed(t, key, transfer(1, 1)), signed(t, key, transfer(2, 1))
		p.Add([]Transaction{a})
		time.Sleep(time.Hour)
		p.Add([]Transaction{b})
		if p.Has(a.Hash) || !p.Has(b.Hash) {
			t.Error("the old one is there, or the new one is not")
		}
	})
}

func TestRefusedHashesAreBoundedInNumber(t *testing.T) {
	p := newTestPool(t, TxPoolConfig{})
	hash := func(i int) common.Hash { return common.BigToHash(big.NewInt(int64(i))) }
	for i := range 2*maxRefused + 10 {
		p.Add([]Transaction{{TxInfo: TxInfo{Hash: hash(i)}, Raw: rlp.RawValue{0x80}}})
	}
	if len(p.refused) != maxRefused || len(p.ring) != maxRefused {
		t.Errorf("%d hashes, ring of %d", len(p.refused), len(p.ring))
	}
	if p.Has(hash(maxRefused+9)) || !p.Has(hash(maxRefused+10)) || !p.Has(hash(2*maxRefused+9)) {
		t.Error("not the last ones are remembered")
	}
}

func TestAPoolNeedsToKnowItsChain(t *testing.T) {
	for name, cfg := range map[string]TxPoolConfig{
		"no chain":          {},
		"no params":         {Chain: &ChainConfig{}},
		"no chain id":       {Chain: &ChainConfig{Params: &params.ChainConfig{}}},
		"negative bytes":    {Chain: poolChain, MaxBytes: -1},
		"negative lifetime": {Chain: poolChain, Lifetime: -1},
	} {
		if _, err := NewTxPool(cfg); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestAPoolIsForManyGoroutines(t *testing.T) {
	p := newTestPool(t, TxPoolConfig{MaxBytes: 20 << 10})
	var wg sync.WaitGroup
	for n := range byte(4) {
		key := poolKey(t, n/2+1) // two for each sender
		wg.Go(func() {
			for i := range uint64(30) {
				tx := signed(t, key, transfer(i, 100))
				p.Add([]Transaction{tx})
				p.Has(tx.Hash)
				p.PooledTransaction(tx.Hash)
				p.Pending(5)
			}
		})
	}
	wg.Wait()
	n, size := p.Stats()
	if len(p.bySender) != n || p.order.Len() != n || size > p.maxBytes {
		t.Errorf("%d transactions, %d by sender, %d in order, %d bytes", n, len(p.bySender), p.order.Len(), size)
	}
}

func TestThePoolsMemoryStaysWithinItsBytes(t *testing.T) {
	const limit = 1 << 20
	key := poolKey(t, 1)
	message := make([]byte, 0, 4<<20) // what transactions come in; the pool must not hold on to it
	p := newTestPool(t, TxPoolConfig{MaxBytes: limit})
	used := func() int64 {
		var s runtime.MemStats
		runtime.GC()
		runtime.GC()
		runtime.ReadMemStats(&s)
		return int64(s.HeapAlloc)
	}
	before := used() - int64(cap(message))
	for i := range uint64(2000) {
		tx := signed(t, key, transfer(i, 100))
		start := len(message)
		message = append(message, tx.Raw...)
		tx.Raw = message[start:]
		p.Add([]Transaction{tx})
	}
	message = nil
	if n, size := p.Stats(); n < 800 || size > limit {
		t.Errorf("%d transactions of %d bytes", n, size)
	}
	if grown := used() - before; grown > limit+limit/4 {
		t.Errorf("the heap has grown by %d bytes, with %d allowed in the pool", grown, limit)
	}
	runtime.KeepAlive(p)
}

// FuzzPool offers what a peer may have sent.
func FuzzPool(f *testing.F) {
	key := poolKey(f, 1)
	f.Add([]byte(signed(f, key, transfer(1, 1)).Raw))
	f.Add([]byte(signed(f, key, &types.LegacyTx{GasPrice: big.NewInt(1), Gas: 21000}).Raw))
	short := blobTx(f, key, 4, 10, types.BlobSidecarVersion1, 4)
	short = short.WithoutBlobs()
	f.Add([]byte(short.Raw))
	p := newTestPool(f, TxPoolConfig{})
	f.Fuzz(func(t *testing.T, raw []byte) {
		tx, err := ReadTransaction(raw)
		if err != nil {
			return
		}
		_ = tx.CheckSidecar(71)
		_ = tx.CheckSidecar(72)
		_, _ = tx.WithCells(AllCells(), nil)
		tx.WithoutBlobs()
		if p.Add([]Transaction{tx})[0] == TxKept && !bytes.Equal(p.PooledTransaction(tx.Hash), raw) {
			t.Error("the pool serves something else")
		}
	})
}
