package eth

import (
	"errors"
	"fmt"
	"math"

	"github.com/ethereum/go-ethereum/core/types"
	"github.com/ethereum/go-ethereum/params"
)

// txRules are what a transaction shows to be right by itself.
type txRules struct {
	signer types.Signer
}

// What may be wrong with a transaction beside its form and signature.
var (
	errTxSize    = fmt.Errorf("larger than %d bytes", maxTxBytes)
	errTxNonce   = errors.New("the nonce is the last one there is")
	errTxGas     = errors.New("the gas limit is less than the transaction costs by itself")
	errTxNoGas   = fmt.Errorf("the gas limit is less than %d", params.TxGas)
	errTxFees    = errors.New("the tip is larger than the fee")
	errTxNumber  = errors.New("a fee or value has more than 256 bits")
	errTxNoBlobs = errors.New("a blob transaction without blobs")
	errTxBlobs   = fmt.Errorf("more than %d blobs", maxTxBlobs)
)

const (
	// maxTxBytes is the size of the largest transaction that is kept, without its sidecar: what go-ethereum's pool takes.
	maxTxBytes = 128 << 10
	// maxTxBlobs is the number of blobs that a transaction may have: more than any fork so far has allowed.
	maxTxBlobs = 32
)

// check decodes a transaction and says what is wrong with it. Errors about the sidecar are [ErrSidecar].
func (r txRules) check(raw *Transaction) (*pooledTx, error) {
	if raw.Size > maxTxBytes && raw.Type != types.BlobTxType || raw.Size > maxTxBytes+maxTxBlobs*sidecarBytes {
		return nil, errTxSize
	}
	tx, err := raw.Decode()
	if err != nil {
		return nil, err
	}
	if err := checkFields(tx); err != nil {
		return nil, err
	}
	sender, err := types.Sender(r.signer, tx)
	if err != nil {
		return nil, err
	}
	p := &pooledTx{
		Transaction: *raw, senderNonce: senderNonce{sender, tx.Nonce()},
		tip: tx.GasTipCap(), fee: tx.GasFeeCap(), blobFee: tx.BlobGasFeeCap(),
	}
	if tx.Type() == types.BlobTxType && !raw.proven {
		return p, checkBlobs(tx)
	}
	return p, nil
}

// checkFields is about everything but signature and sidecar.
func checkFields(tx *types.Transaction) error {
	switch {
	case tx.WithoutBlobTxSidecar().Size() > maxTxBytes:
		return errTxSize
	case tx.Nonce() == math.MaxUint64: // EIP-2681
		return errTxNonce
	case tx.GasFeeCap().BitLen() > 256 || tx.GasTipCap().BitLen() > 256 || tx.Value().BitLen() > 256:
		return errTxNumber
	case tx.GasTipCap().Cmp(tx.GasFeeCap()) > 0:
		return errTxFees
	case tx.Gas() < params.TxGas:
		return errTxNoGas
	case tx.Gas() < intrinsicGas(tx):
		return errTxGas
	case tx.Type() != types.BlobTxType:
		return nil
	case len(tx.BlobHashes()) == 0:
		return errTxNoBlobs
	case len(tx.BlobHashes()) > maxTxBlobs:
		return errTxBlobs
	}
	return nil
}

// dependsOnFork reports whether what is wrong with a transaction may be right on a chain, or to a node, with other rules than
// those we know: that is not held against a peer. All of it is seen before the signature is checked, which takes the time.
func dependsOnFork(err error) bool {
	for _, other := range []error{errTxSize, errTxGas, errTxBlobs, types.ErrTxTypeNotSupported} {
		if errors.Is(err, other) {
			return true
		}
	}
	return false
}

// intrinsicGas is what a transaction costs before anything is executed (Yellow Paper, section 6.2, with EIP-2028, 2930, 3860,
// 7702 and the floor of 7623).
func intrinsicGas(tx *types.Transaction) uint64 {
	const (
		perAuthorization = 25000 // EIP-7702
		floorPerToken    = 10    // EIP-7623
	)
	data := uint64(len(tx.Data()))
	var zeros uint64
	for _, b := range tx.Data() {
		if b == 0 {
			zeros++
		}
	}
	gas := params.TxGas + zeros*params.TxDataZeroGas + (data-zeros)*params.TxDataNonZeroGasEIP2028
	if tx.To() == nil {
		gas += params.TxGasContractCreation - params.TxGas + (data+31)/32*params.InitCodeWordGas
	}
	list := tx.AccessList()
	gas += uint64(len(list))*params.TxAccessListAddressGas + uint64(list.StorageKeys())*params.TxAccessListStorageKeyGas
	gas += uint64(len(tx.SetCodeAuthorizations())) * perAuthorization
	return max(gas, params.TxGas+floorPerToken*(zeros+4*(data-zeros)))
}
