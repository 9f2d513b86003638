package eth

import (
	"bytes"
	"crypto/ecdsa"
	"errors"
	"slices"
	"sync"
	"testing"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
	"github.com/ethereum/go-ethereum/rlp"
	"github.com/google/go-cmp/cmp"
	"github.com/holiman/uint256"
)

// provenBlob is a blob with what proves it, which takes long to compute.
type provenBlob struct {
	blob       kzg4844.Blob
	commitment kzg4844.Commitment
	proofs     map[byte][]kzg4844.Proof // by version of the sidecar
}

// provenBlobs are blobs that differ in one byte.
var provenBlobs = sync.OnceValue(func() (list [5]provenBlob) {
	must := func(err error) {
		if err != nil {
			panic(err)
		}
	}
	for i := range list {
		b := &list[i]
		b.blob[1] = byte(i)
		var err error
		b.commitment, err = kzg4844.BlobToCommitment(&b.blob)
		must(err)
		cells, err := kzg4844.ComputeCellProofs(&b.blob)
		must(err)
		proof, err := kzg4844.ComputeBlobProof(&b.blob, b.commitment)
		must(err)
		b.proofs = map[byte][]kzg4844.Proof{types.BlobSidecarVersion0: {proof}, types.BlobSidecarVersion1: cells}
	}
	return list
})

// blobTx is a transaction with some of the provenBlobs.
func blobTx(t testing.TB, key *ecdsa.PrivateKey, nonce uint64, fee uint64, version byte, content ...byte) Transaction {
	t.Helper()
	sidecar := &types.BlobTxSidecar{Version: version}
	all := provenBlobs()
	for _, i := range content {
		b := &all[i]
		sidecar.Blobs, sidecar.Commitments = append(sidecar.Blobs, b.blob), append(sidecar.Commitments, b.commitment)
		sidecar.Proofs = append(sidecar.Proofs, b.proofs[version]...)
	}
	return signed(t, key, &types.BlobTx{
		ChainID: uint256.MustFromBig(poolChain.Params.ChainID), Nonce: nonce, GasTipCap: uint256.NewInt(fee), GasFeeCap: uint256.NewInt(fee), Gas: 21000,
		Value: new(uint256.Int), BlobFeeCap: uint256.NewInt(fee), BlobHashes: sidecar.BlobHashes(), Sidecar: sidecar,
	})
}

// mangle changes the sidecar of a blob transaction.
func mangle(t testing.TB, tx Transaction, f func(*types.BlobTxSidecar)) Transaction {
	t.Helper()
	full, err := tx.Decode()
	if err != nil {
		t.Fatal(err)
	}
	sidecar := full.BlobTxSidecar().Copy()
	f(sidecar)
	out, err := NewTransaction(full.WithBlobTxSidecar(sidecar))
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestASidecarIsHeldAgainstItsTransaction(t *testing.T) {
	key := poolKey(t, 1)
	v0, v1 := blobTx(t, key, 0, 10, types.BlobSidecarVersion0, 1, 2), blobTx(t, key, 0, 10, types.BlobSidecarVersion1, 1, 2)
	bare, err := v1.Decode()
	if err != nil {
		t.Fatal(err)
	}
	naked, err := NewTransaction(bare.WithoutBlobTxSidecar())
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name   string
		tx     Transaction
		at71   bool // CheckSidecar has nothing against it
		at72   bool
		pooled bool
	}{
		{"version 0", v0, true, false, true},
		{"version 1", v1, true, false, true},
		{"without blobs", v1.WithoutBlobs(), false, true, false},
		{"without sidecar", naked, false, false, false},
		{"another commitment", mangle(t, v1, func(s *types.BlobTxSidecar) { s.Commitments[0] = kzg4844.Commitment{} }), false, false, false},
		{"commitments exchanged", mangle(t, v1, func(s *types.BlobTxSidecar) { slices.Reverse(s.Commitments) }), false, false, false},
		{"a blob less", mangle(t, v1, func(s *types.BlobTxSidecar) { s.Blobs = s.Blobs[:1] }), false, false, false},
		{"a proof less", mangle(t, v1, func(s *types.BlobTxSidecar) { s.Proofs = s.Proofs[1:] }), false, false, false},
		{"another blob", mangle(t, v1, func(s *types.BlobTxSidecar) { s.Blobs[1][5]++ }), true, false, false},
		{"another blob, version 0", mangle(t, v0, func(s *types.BlobTxSidecar) { s.Blobs[1][5]++ }), true, false, false},
		{"another proof", mangle(t, v1, func(s *types.BlobTxSidecar) { s.Proofs[0] = s.Proofs[1] }), true, false, false},
		{"no blob transaction", signed(t, key, transfer(1, 1)), true, true, true},
	} {
		for version, want := range map[uint]bool{71: tt.at71, 72: tt.at72} {
			if err := tt.tx.CheckSidecar(version); (err == nil) != want || err != nil && !errors.Is(err, ErrSidecar) {
				t.Errorf("%s, version %d: %v", tt.name, version, err)
			}
		}
		p := newTestPool(t, TxPoolConfig{})
		if got := p.Add([]Transaction{tt.tx})[0]; (got == TxKept) != tt.pooled || (got == TxInvalid) == tt.pooled {
			_, err := p.rules.check(&tt.tx)
			t.Errorf("%s: the verdict is %v: %v", tt.name, got, err)
		}
		if p.Has(tt.tx.Hash) != tt.pooled {
			t.Errorf("%s: the right sidecar from somebody else has no chance", tt.name)
		}
		if n := len(p.Pending(9)); (n == 1) != (tt.tx.Type != types.BlobTxType) {
			t.Errorf("%s: %d pending", tt.name, n)
		}
	}
}

func TestABlobTransactionIsReplacedForTwiceItsFees(t *testing.T) {
	key := poolKey(t, 1)
	p := newTestPool(t, TxPoolConfig{})
	for _, tt := range []struct {
		tx   Transaction
		want Verdict
	}{
		{blobTx(t, key, 5, 10, types.BlobSidecarVersion0, 1), TxKept},
		{blobTx(t, key, 5, 19, types.BlobSidecarVersion0, 1), TxRefused},
		{signed(t, key, transfer(5, 1000)), TxRefused},
		{blobTx(t, key, 5, 20, types.BlobSidecarVersion0, 1), TxKept},
	} {
		if got := p.Add([]Transaction{tt.tx})[0]; got != tt.want {
			t.Errorf("the verdict is %v, want %v", got, tt.want)
		}
	}
}

func TestABlobTransactionComesTogetherFromItsCells(t *testing.T) {
	full := blobTx(t, poolKey(t, 1), 0, 10, types.BlobSidecarVersion1, 1, 2, 3)
	short := full.WithoutBlobs()
	if short.Hash != full.Hash || short.Size > full.Size-3*blobBytes {
		t.Errorf("without blobs: hash %v, %d bytes of %d", short.Hash, short.Size, full.Size)
	}
	if again := short.WithoutBlobs(); !bytes.Equal(again.Raw, short.Raw) {
		t.Error("without blobs twice is something else")
	}
	decoded, err := full.Decode()
	if err != nil {
		t.Fatal(err)
	}
	if want, err := withBlobs(decoded, nil); err != nil || !bytes.Equal(short.Raw, want.Raw) {
		t.Errorf("without blobs it is not what the library makes of it: %v", err)
	}
	var high CellMask // the other half of the cells
	for i := 8; i < 16; i++ {
		high[i] = 0xff
	}
	for name, mask := range map[string]CellMask{"all": AllCells(), "data": DataCells(), "the other half": high} {
		cells, err := full.Cells(mask)
		if err != nil || len(cells) != 3*mask.Count() {
			t.Fatalf("%s: %d cells, %v", name, len(cells), err)
		}
		whole, err := short.WithCells(mask, cells)
		if err != nil || !bytes.Equal(whole.Raw, full.Raw) {
			t.Errorf("%s: the blobs are not what they were: %v", name, err)
		}
		for what, bad := range map[string][]rlp.RawValue{
			"a cell less":      cells[1:],
			"a cell more":      append(slices.Clone(cells), cells[0]),
			"cells exchanged":  append([]rlp.RawValue{cells[1], cells[0]}, cells[2:]...),
			"a cell too short": append([]rlp.RawValue{{0x80}}, cells[1:]...),
		} {
			if _, err := short.WithCells(mask, bad); !errors.Is(err, ErrSidecar) {
				t.Errorf("%s, %s: %v", name, what, err)
			}
		}
	}
	half := DataCells()
	half[0] &^= 1
	cells, err := full.Cells(half)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := short.WithCells(half, cells); !errors.Is(err, ErrSidecar) {
		t.Errorf("63 cells: %v", err)
	}
	if _, err := short.Cells(half); !errors.Is(err, ErrSidecar) {
		t.Errorf("cells of a transaction without blobs: %v", err)
	}
	if _, err := full.WithCells(half, cells); !errors.Is(err, ErrSidecar) {
		t.Errorf("cells for a transaction with blobs: %v", err)
	}
}

func TestCellsAreAnsweredByTheRules(t *testing.T) {
	key := poolKey(t, 1)
	plain, two, one := signed(t, key, transfer(1, 1)), blobTx(t, key, 2, 10, types.BlobSidecarVersion1, 1, 2), blobTx(t, key, 3, 10, types.BlobSidecarVersion1, 3)
	short := blobTx(t, key, 4, 10, types.BlobSidecarVersion1, 4)
	short = short.WithoutBlobs()
	c := &fakeChain{pooled: map[common.Hash]rlp.RawValue{{1}: plain.Raw, {2}: two.Raw, {3}: one.Raw, {4}: short.Raw}}
	list := func(b ...byte) (out []common.Hash) {
		for _, x := range b {
			out = append(out, common.Hash{x})
		}
		return out
	}
	for _, tt := range []struct {
		name  string
		query CellsQuery
		want  []common.Hash
	}{
		{"nothing", CellsQuery{nil, AllCells()}, nil},
		{"no cells", CellsQuery{list(2), CellMask{}}, nil},
		{"those with blobs", CellsQuery{list(9, 1, 3, 4, 2), CellMask{1: 2}}, list(3, 2)},
		{"up to 1024 cells", CellsQuery{list(2, 2, 2, 2, 3, 2), AllCells()}, list(2, 2, 2, 2)},
		{"not beyond 1024 cells", CellsQuery{list(2, 2, 2, 3, 2), AllCells()}, list(2, 2, 2, 3)},
		{"not beyond 32 that have no blobs", CellsQuery{slices.Concat(slices.Repeat(list(4), 32), list(3)), CellMask{1: 2}}, nil},
		{"of up to 32 blobs", CellsQuery{slices.Repeat(list(2), 17), CellMask{1: 2}}, slices.Repeat(list(2), 16)},
	} {
		a := answerCells(c, tt.query)
		if diff := cmp.Diff(tt.want, a.Hashes); diff != "" || a.Mask != tt.query.Mask || len(a.Cells) != len(a.Hashes) {
			t.Errorf("%s: mask %v, %d lists\n%s", tt.name, a.Mask, len(a.Cells), diff)
		}
		for i, cells := range a.Cells {
			blobs := map[byte]int{2: 2, 3: 1}[a.Hashes[i][0]]
			if len(cells) != blobs*tt.query.Mask.Count() {
				t.Errorf("%s: %d cells", tt.name, len(cells))
			}
		}
	}
	if got := answerPooled(c, list(2)); !bytes.Equal(got[0], two.Raw) {
		t.Error("version 71 has no blobs")
	}
	if got, want := answerPooled72(c, list(1, 2)), two.WithoutBlobs(); !bytes.Equal(got[0], plain.Raw) || !bytes.Equal(got[1], want.Raw) {
		t.Error("version 72 has blobs")
	}
	v0 := blobTx(t, key, 9, 10, types.BlobSidecarVersion0, 1)
	c.pooled[common.Hash{5}] = v0.Raw
	if got := answerPooled72(c, list(5, 1)); len(got) != 1 || !bytes.Equal(got[0], plain.Raw) {
		t.Errorf("%d transactions, want the one without blobs: one of version 0 cannot go without them", len(got))
	}
}

func TestABlobTransactionIsNotDecodedForWhoeverAsksForIt(t *testing.T) {
	v0 := blobTx(t, poolKey(t, 1), 0, 10, types.BlobSidecarVersion0, 1)
	c := &fakeChain{pooled: map[common.Hash]rlp.RawValue{v0.Hash: v0.Raw}}
	hashes := slices.Repeat([]common.Hash{v0.Hash}, MaxPooled)
	if got := testing.AllocsPerRun(1, func() {
		if n := len(answerPooled72(c, hashes)); n != 0 {
			t.Errorf("%d transactions with blobs", n)
		}
	}); got > 0 {
		t.Errorf("%v allocations for %d hashes", got, len(hashes))
	}
}
