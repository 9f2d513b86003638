package eth

import (
	"fmt"
	"math/big"

	"github.com/ethereum/go-ethereum/common"
	"github.com/ethereum/go-ethereum/rlp"
)

// Status is the first message each way (section 2): who we are and what we have. Which fields a version has is said with
// each; the others are zero.
type Status struct {
	Version   uint64
	NetworkID uint64
	Genesis   common.Hash
	ForkID    ForkID      // from 64 on
	TD        *big.Int    // up to 68; nil counts as 0
	Head      common.Hash // hash of the last block
	Earliest  uint64      // from 69 on: first block whose body and receipts can be had
	Latest    uint64      // from 69 on: number of the last block
}

// maxTD is how many bits a total difficulty may have: mainnet's had 76 when it stopped to grow.
const maxTD = 256

// Code is [CodeStatus].
func (*Status) Code() uint64 { return CodeStatus }

func (s *Status) encode(w rlp.EncoderBuffer, version uint) {
	w.WriteUint64(s.Version)
	w.WriteUint64(s.NetworkID)
	if version >= 69 {
		w.WriteBytes(s.Genesis[:])
		s.ForkID.write(w)
		w.WriteUint64(s.Earliest)
		w.WriteUint64(s.Latest)
		w.WriteBytes(s.Head[:])
		return
	}
	writeBig(w, s.TD)
	w.WriteBytes(s.Head[:])
	w.WriteBytes(s.Genesis[:])
	if version >= 64 {
		s.ForkID.write(w)
	}
}

func (s *Status) decode(b []byte, version uint) (err error) {
	*s = Status{}
	if s.Version, b, err = splitUint(b, "version"); err != nil {
		return err
	}
	if s.NetworkID, b, err = splitUint(b, "network id"); err != nil {
		return err
	}
	if version >= 69 {
		return s.decodeRange(b)
	}
	if s.TD, b, err = splitBig(b, "total difficulty", maxTD); err != nil {
		return err
	}
	if s.Head, b, err = splitHash(b, "head"); err != nil {
		return err
	}
	if s.Genesis, b, err = splitHash(b, "genesis"); err != nil {
		return err
	}
	if version >= 64 {
		if s.ForkID, b, err = splitForkID(b); err != nil {
			return err
		}
	}
	return end(b)
}

// decodeRange reads what comes after the network id from version 69 on.
func (s *Status) decodeRange(b []byte) (err error) {
	if s.Genesis, b, err = splitHash(b, "genesis"); err != nil {
		return err
	}
	if s.ForkID, b, err = splitForkID(b); err != nil {
		return err
	}
	if s.Earliest, b, err = splitUint(b, "earliest block"); err != nil {
		return err
	}
	if s.Latest, b, err = splitUint(b, "latest block"); err != nil {
		return err
	}
	if s.Head, b, err = splitHash(b, "latest hash"); err != nil {
		return err
	}
	return end(b)
}

// BlockRange is the message BlockRangeUpdate: the blocks whose bodies and receipts a node has now.
type BlockRange struct {
	Earliest   uint64
	Latest     uint64 // not below Earliest
	LatestHash common.Hash
}

// Code is [CodeBlockRangeUpdate].
func (*BlockRange) Code() uint64 { return CodeBlockRangeUpdate }

func (r *BlockRange) encode(w rlp.EncoderBuffer, _ uint) {
	w.WriteUint64(r.Earliest)
	w.WriteUint64(r.Latest)
	w.WriteBytes(r.LatestHash[:])
}

func (r *BlockRange) decode(b []byte, _ uint) (err error) {
	if r.Earliest, b, err = splitUint(b, "earliest block"); err != nil {
		return err
	}
	if r.Latest, b, err = splitUint(b, "latest block"); err != nil {
		return err
	}
	if r.LatestHash, b, err = splitHash(b, "latest hash"); err != nil {
		return err
	}
	return end(b)
}

// check returns what is wrong with the range.
func (r *BlockRange) check() error {
	switch {
	case r.Earliest > r.Latest:
		return fmt.Errorf("earliest block %d after the latest, %d", r.Earliest, r.Latest)
	case r.LatestHash == common.Hash{}:
		return fmt.Errorf("the hash of the latest block, %d, is zero", r.Latest)
	}
	return nil
}

// writeBig writes an integer of any size; nil is 0, as is a negative one, which there is no RLP for.
func writeBig(w rlp.EncoderBuffer, x *big.Int) {
	if x == nil || x.Sign() < 0 {
		x = new(big.Int)
	}
	w.WriteBigInt(x)
}

// splitBig takes an integer of at most so many bits from b.
func splitBig(b []byte, part string, bits int) (*big.Int, []byte, error) {
	s, rest, err := rlp.SplitString(b)
	x := new(big.Int)
	switch {
	case err != nil:
	case len(s) > 0 && s[0] == 0:
		err = rlp.ErrCanonInt
	case len(s) > (bits+7)/8:
		err = fmt.Errorf("%d bytes, more than %d bits", len(s), bits)
	default:
		if x.SetBytes(s); x.BitLen() > bits {
			err = fmt.Errorf("%d bits, more than %d", x.BitLen(), bits)
		}
	}
	return x, rest, in(part, err)
}
