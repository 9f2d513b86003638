package eth

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math"

	"github.com/ethereum/go-ethereum/rlp"
)

// ForkID says which forks a chain has behind it and which comes next (EIP-2124, EIP-6122).
type ForkID struct {
	Hash [4]byte // CRC-32 of the genesis hash and the forks that have been passed
	Next uint64  // block or time of the next fork; 0 if none is known
}

// String returns the id as "cba2a1c0/1767747671".
func (id ForkID) String() string { return fmt.Sprintf("%x/%d", id.Hash, id.Next) }

func (id ForkID) write(w rlp.EncoderBuffer) {
	list := w.List()
	w.WriteBytes(id.Hash[:])
	w.WriteUint64(id.Next)
	w.ListEnd(list)
}

// splitForkID takes a fork id from b.
func splitForkID(b []byte) (id ForkID, rest []byte, err error) {
	inner, rest, err := rlp.SplitList(b)
	if err != nil {
		return id, rest, in("fork id", err)
	}
	hash, inner, err := rlp.SplitString(inner)
	if err == nil && len(hash) != len(id.Hash) {
		err = fmt.Errorf("a hash of %d bytes, not %d", len(hash), len(id.Hash))
	}
	if err != nil {
		return id, rest, in("fork id", err)
	}
	copy(id.Hash[:], hash)
	if id.Next, inner, err = rlp.SplitUint64(inner); err == nil {
		err = end(inner)
	}
	return id, rest, in("fork id", err)
}

// Why a fork id does not go with ours.
var (
	// ErrRemoteStale is the error of a node that does not know a fork that we have passed.
	ErrRemoteStale = errors.New("the remote does not know a fork that is behind us")
	// ErrIncompatible is the error of a node on another chain, or one that knows of a fork that we have missed.
	ErrIncompatible = errors.New("the remote is on another chain, or knows a fork that we do not")
)

// firstTime is the time of mainnet's genesis. In a fork id a smaller number is a block, a larger one a time.
const firstTime = 1438269973

// ForkIDAt is the fork id of a chain whose head is a block with the given number and time.
func (c *ChainConfig) ForkIDAt(number, time uint64) ForkID {
	var id ForkID
	c.eachSum(func(sum, next uint64, byTime bool) bool {
		id = newForkID(sum, next)
		return passed(next, byTime, number, time)
	})
	if id.Next == math.MaxUint64 {
		id.Next = 0
	}
	return id
}

// CheckForkID says whether a node with this fork id is on our chain, as far as can be told, when our head is a block with
// the given number and time. The error is [ErrRemoteStale] or [ErrIncompatible].
func (c *ChainConfig) CheckForkID(remote ForkID, number, time uint64) error {
	err, reached := ErrIncompatible, false
	c.eachSum(func(sum, next uint64, byTime bool) bool {
		here := newForkID(sum, next)
		switch equal := here.Hash == remote.Hash; {
		case !reached && passed(next, byTime, number, time):
			// Behind us. A remote that is there must expect the fork that we took.
			if equal && remote.Next == next {
				err = nil
			} else if equal {
				err = ErrRemoteStale
			}
			return !equal
		case !reached && equal:
			// Where we are. A fork that the remote expects must not be behind us.
			head := number
			if byTime {
				head = time
			}
			if remote.Next == 0 || (remote.Next > head && (remote.Next <= firstTime || remote.Next > time)) {
				err = nil
			}
			return false
		case equal:
			err = nil // ahead of us
			return false
		}
		reached = true
		return true
	})
	return err
}

// passed reports whether a head is at a fork or beyond it.
func passed(fork uint64, byTime bool, number, time uint64) bool {
	if fork == math.MaxUint64 {
		return false
	}
	if byTime {
		return fork <= time
	}
	return fork <= number
}

// eachSum calls f with the checksum before each fork, and with the fork: its block, or byTime its time. After the last fork
// there is one that is never reached. It stops when f returns false.
func (c *ChainConfig) eachSum(f func(sum, next uint64, byTime bool) bool) {
	sum := crc32.ChecksumIEEE(c.Genesis[:])
	for i := 0; i <= len(c.BlockForks)+len(c.TimeForks); i++ {
		next, byTime := c.fork(i)
		if !f(uint64(sum), next, byTime) {
			return
		}
		sum = crc32.Update(sum, crc32.IEEETable, binary.BigEndian.AppendUint64(nil, next))
	}
}

// fork is the i-th fork. The one after the last counts as a fork by time unless there are only forks by block.
func (c *ChainConfig) fork(i int) (next uint64, byTime bool) {
	switch blocks := len(c.BlockForks); {
	case i < blocks:
		return c.BlockForks[i], false
	case i < blocks+len(c.TimeForks):
		return c.TimeForks[i-blocks], true
	}
	return math.MaxUint64, len(c.TimeForks) > 0
}

func newForkID(sum, next uint64) ForkID {
	id := ForkID{Next: next}
	binary.BigEndian.PutUint32(id.Hash[:], uint32(sum))
	return id
}
