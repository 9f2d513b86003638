package eth

import (
	"errors"
	"fmt"
	"slices"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/crypto/kzg4844"
	"github.com/ethereum/go-ethereum/rlp"
)

// ErrSidecar is in the chain of errors about the sidecar of a blob transaction: it is missing, does not fit the transaction,
// or its proofs do not hold. Whoever sent it is to be disconnected (section 7 of the protocol); the transaction itself may be
// good.
var ErrSidecar = errors.New("wrong sidecar")

const (
	blobCells = kzg4844.CellsPerBlob // cells of a blob
	dataCells = kzg4844.DataPerBlob  // of which the first so many are the blob itself, and any so many are enough

	blobBytes = cellSize * dataCells

	// sidecarBytes is more than what each blob adds to a transaction: itself, a commitment and 128 proofs.
	sidecarBytes = blobBytes + 8<<10
)

func sidecarError(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrSidecar, fmt.Sprintf(format, args...))
}

// checkSidecar looks at all of a blob transaction's sidecar but the proofs, which takes no time to speak of: that it is there,
// that it has as many blobs, commitments and proofs as it needs, and that the commitments are those of the transaction. From
// version 72 of the protocol on there may be no blobs.
func checkSidecar(tx *types.Transaction, version uint) error {
	sidecar, n := tx.BlobTxSidecar(), len(tx.BlobHashes())
	if sidecar == nil {
		return sidecarError("there is none")
	}
	blobs, proofs := n, n
	if version >= 72 {
		blobs = 0
	}
	if sidecar.Version == types.BlobSidecarVersion1 {
		proofs = n * kzg4844.CellProofsPerBlob
	} else if version >= 72 {
		return sidecarError("version %d has no proofs of cells", sidecar.Version)
	}
	if len(sidecar.Blobs) != blobs || len(sidecar.Proofs) != proofs {
		return sidecarError("%d blobs and %d proofs, not %d and %d", len(sidecar.Blobs), len(sidecar.Proofs), blobs, proofs)
	}
	if err := sidecar.ValidateBlobCommitmentHashes(tx.BlobHashes()); err != nil {
		return sidecarError("%v", err)
	}
	return nil
}

// checkBlobs checks a sidecar with blobs, and its proofs.
func checkBlobs(tx *types.Transaction) error {
	if err := checkSidecar(tx, 71); err != nil {
		return err
	}
	sidecar := tx.BlobTxSidecar()
	if sidecar.Version == types.BlobSidecarVersion1 {
		if err := kzg4844.VerifyCellProofs(sidecar.Blobs, sidecar.Commitments, sidecar.Proofs); err != nil {
			return fmt.Errorf("%w: %w: %w", ErrSidecar, errProofs, err)
		}
		return nil
	}
	for i := range sidecar.Blobs {
		if err := kzg4844.VerifyBlobProof(&sidecar.Blobs[i], sidecar.Commitments[i], sidecar.Proofs[i]); err != nil {
			return fmt.Errorf("%w: %w: blob %d: %w", ErrSidecar, errProofs, i, err)
		}
	}
	return nil
}

// prove checks the proofs of the blobs of a blob transaction, and notes that they hold: a TxPool does not do it again. Those
// with too many blobs for any pool it lets pass.
func (t *Transaction) prove() error {
	tx, err := t.Decode()
	if err != nil || len(tx.BlobHashes()) > maxTxBlobs {
		return err
	}
	err = checkBlobs(tx)
	t.proven = err == nil
	return err
}

// CheckSidecar says what is wrong with the sidecar of a blob transaction from a PooledTransactions message of a version, as
// far as it takes no time: proofs are not looked at. It is nil for other transactions. The error is [ErrSidecar], or about the
// form of the transaction.
func (t *Transaction) CheckSidecar(version uint) error {
	if t.Type != types.BlobTxType {
		return nil
	}
	tx, err := t.Decode()
	if err != nil {
		return err
	}
	return checkSidecar(tx, version)
}

// WithoutBlobs is a blob transaction as it crosses the link from version 72 on (EIP-8070): with commitments and proofs, but
// without blobs. Other transactions, and those without a sidecar of version 1, it returns as they are.
func (t *Transaction) WithoutBlobs() Transaction {
	if t.Type != types.BlobTxType {
		return *t
	}
	short, err := ReadTransaction(withoutBlobs(t.Raw))
	if err != nil {
		return *t
	}
	return short
}

// withoutBlobs is WithoutBlobs of what crosses the link, but nil if there is no such form: for a blob transaction it takes a
// sidecar of version 1. Nothing is decoded, hashed or copied but what is left: a peer may ask for many transactions at a time.
func withoutBlobs(raw rlp.RawValue) rlp.RawValue {
	if !isBlobTx(raw) {
		return raw
	}
	typed, _, _ := rlp.SplitString(raw)
	outer, err := wholeList(typed[1:])
	if err != nil {
		return nil
	}
	_, rest, err := rlp.SplitList(outer) // the fields
	if err != nil {
		return nil
	}
	version, blobs, err := rlp.SplitUint64(rest)
	if err != nil || version != uint64(types.BlobSidecarVersion1) {
		return nil
	}
	_, rest, err = rlp.SplitList(blobs)
	if err != nil {
		return nil
	}
	w := rlp.NewEncoderBuffer(nil)
	w.WriteBytes(slices.Concat(typed[:1], inList(slices.Concat(outer[:len(outer)-len(blobs)], rlp.EmptyList, rest))))
	return w.ToBytes()
}

// isBlobTx reports whether something that crosses the link is a blob transaction, of which it looks at the first bytes only.
func isBlobTx(raw rlp.RawValue) bool {
	kind, content, _, err := rlp.Split(raw)
	return err == nil && kind == rlp.String && len(content) > 0 && content[0] == types.BlobTxType
}

// withBlobs is a blob transaction with other blobs in its sidecar.
func withBlobs(tx *types.Transaction, blobs []kzg4844.Blob) (Transaction, error) {
	old := tx.BlobTxSidecar()
	return NewTransaction(tx.WithBlobTxSidecar(types.NewBlobTxSidecar(old.Version, blobs, old.Commitments, old.Proofs)))
}

// Cells are the cells in a mask of the blobs of a transaction, in the order that [CellsAnswer] has them. It fails if the
// transaction has no blobs with it. It takes about 5 ms for each blob.
func (t *Transaction) Cells(mask CellMask) ([]rlp.RawValue, error) {
	tx, err := t.Decode()
	if err != nil {
		return nil, err
	}
	sidecar := tx.BlobTxSidecar()
	if sidecar == nil || len(sidecar.Blobs) == 0 {
		return nil, sidecarError("there are no blobs")
	}
	all, err := kzg4844.ComputeCells(sidecar.Blobs)
	if err != nil {
		return nil, sidecarError("%v", err)
	}
	cells := make([]rlp.RawValue, 0, mask.Count()*len(sidecar.Blobs))
	for _, i := range mask.indices() {
		for b := range sidecar.Blobs {
			raw, err := rlp.EncodeToBytes(all[b*blobCells+int(i)][:])
			if err != nil {
				return nil, err
			}
			cells = append(cells, raw)
		}
	}
	return cells, nil
}

// WithCells makes a whole transaction of one without blobs and the cells in a mask of each of its blobs, in the order that
// [CellsAnswer] has them. At least 64 cells of a blob are needed. The proofs of the cells are checked, which takes about 10 ms
// for each blob. An error that is [ErrSidecar] says that the cells, or the proofs of the transaction, are wrong.
func (t *Transaction) WithCells(mask CellMask, cells []rlp.RawValue) (Transaction, error) {
	tx, err := t.Decode()
	if err != nil {
		return Transaction{}, err
	}
	if err := checkSidecar(tx, 72); err != nil {
		return Transaction{}, err
	}
	sidecar, indices, n := tx.BlobTxSidecar(), mask.indices(), len(tx.BlobHashes())
	if len(indices) < dataCells || len(cells) != len(indices)*n {
		return Transaction{}, sidecarError("%d cells of %d blobs for a mask of %d, at least %d are needed", len(cells), n, len(indices), dataCells)
	}
	// The library wants the cells by blob, and then by index.
	flat := make([]kzg4844.Cell, len(cells))
	proofs := make([]kzg4844.Proof, 0, len(cells))
	for b := range n {
		for j, index := range indices {
			cell, _, err := rlp.SplitString(cells[j*n+b])
			if err != nil || len(cell) != cellSize {
				return Transaction{}, sidecarError("cell %d of blob %d has %d bytes", index, b, len(cell))
			}
			copy(flat[b*len(indices)+j][:], cell)
			proofs = append(proofs, sidecar.Proofs[b*blobCells+int(index)])
		}
	}
	if err := kzg4844.VerifyCells(flat, sidecar.Commitments, proofs, indices); err != nil {
		return Transaction{}, sidecarError("%v", err)
	}
	blobs, err := kzg4844.RecoverBlobs(flat, indices)
	if err != nil {
		return Transaction{}, sidecarError("%v", err)
	}
	return withBlobs(tx, blobs)
}

// AllCells is the mask with all 128 cells.
func AllCells() CellMask { return cellMask(blobCells) }

// DataCells is the mask with the 64 cells that are the blob itself.
func DataCells() CellMask { return cellMask(dataCells) }

// cellMask is the mask with the first n cells.
func cellMask(n int) (m CellMask) {
	for i := range n {
		m[i/8] |= 1 << (i % 8)
	}
	return m
}

// Count is how many cells the mask has.
func (m CellMask) Count() int { return len(m.indices()) }

// indices are the cells in the mask, ascending.
func (m CellMask) indices() []uint64 {
	list := make([]uint64, 0, blobCells)
	for i := range blobCells {
		if m[i/8]&(1<<(i%8)) != 0 {
			list = append(list, uint64(i))
		}
	}
	return list
}

// LoadTrustedSetup gets ready what checking blobs needs, about 1.5 s of one core, and returns when it is. Without it the first
// blob transaction waits for that.
func LoadTrustedSetup() {
	_, _ = kzg4844.ComputeCells([]kzg4844.Blob{{}}) // of zeros: cannot fail
}
