package chainfile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"math/big"
	"os"
	"path/filepath"
	"slices"
	"sort"

	"github.com/ethereum/go-ethereum/common"
)

// index says where the blocks of a chain stand. It is not changed once made.
type index struct {
	blocks   []entry  // block number n is blocks[n-1]
	byHash   []uint32 // indices of blocks, in the order of their hashes
	receipts []span   // of block number n: receipts[n-1]; may be shorter than blocks

	head     common.Hash // of the last block, the genesis block's if there is no other
	headTime uint64
	td       *big.Int // total difficulty up to the last block
}

// entry is where a block stands.
type entry struct {
	hash         common.Hash
	at           uint64 // position of the header
	header, body uint32 // bytes of the header, and of what follows it
}

// span is a piece of a receipts file.
type span struct {
	at   uint64
	size uint32
}

// position is a place in one of several files.
func position(file int, offset int64) uint64 { return uint64(file)<<48 | uint64(offset) }

func fileOf(position uint64) int     { return int(position >> 48) }
func offsetOf(position uint64) int64 { return int64(position & (1<<48 - 1)) }

// sort fills byHash.
func (x *index) sort() {
	x.byHash = make([]uint32, len(x.blocks))
	for i := range x.byHash {
		x.byHash[i] = uint32(i)
	}
	slices.SortFunc(x.byHash, func(a, b uint32) int { return x.blocks[a].hash.Cmp(x.blocks[b].hash) })
}

// find returns the place of a block in blocks.
func (x *index) find(hash common.Hash) (int, bool) {
	i, ok := sort.Find(len(x.byHash), func(i int) int { return bytes.Compare(hash[:], x.blocks[x.byHash[i]].hash[:]) })
	if !ok {
		return 0, false
	}
	return int(x.byHash[i]), true
}

// An index file has, in little endian: magic, the fingerprint of the files it is about, the numbers of blocks and receipts,
// the time of the last block, its total difficulty in 32 bytes of big endian, the blocks (hash, position, bytes of header and
// body), the order of their hashes, the receipts (position, bytes), and a CRC-32C of all before.
const (
	indexMagic = "sennit chain index 1\n"
	indexHead  = len(indexMagic) + 32 + 3*8 + 32
	entryBytes = 32 + 8 + 4 + 4
	spanBytes  = 8 + 4
	orderBytes = 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// encode is the contents of an index file.
func (x *index) encode(fingerprint [32]byte) []byte {
	le := binary.LittleEndian
	b := make([]byte, 0, indexHead+len(x.blocks)*(entryBytes+orderBytes)+len(x.receipts)*spanBytes+4)
	b = append(append(b, indexMagic...), fingerprint[:]...)
	b = le.AppendUint64(b, uint64(len(x.blocks)))
	b = le.AppendUint64(b, uint64(len(x.receipts)))
	b = le.AppendUint64(b, x.headTime)
	b = append(b, common.BigToHash(x.td).Bytes()...)
	for i := range x.blocks {
		e := &x.blocks[i]
		b = le.AppendUint64(append(b, e.hash[:]...), e.at)
		b = le.AppendUint32(le.AppendUint32(b, e.header), e.body)
	}
	for _, i := range x.byHash {
		b = le.AppendUint32(b, i)
	}
	for _, s := range x.receipts {
		b = le.AppendUint32(le.AppendUint64(b, s.at), s.size)
	}
	return le.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// Why an index file is not used: the chain is scanned again then.
var (
	errForeignIndex = errors.New("is about other files, or these have changed")
	errBadIndex     = errors.New("is damaged")
)

// decodeIndex reads the contents of an index file that was made for files with a fingerprint, and the given genesis block.
func decodeIndex(b []byte, fingerprint [32]byte, genesis common.Hash) (*index, error) {
	le := binary.LittleEndian
	if len(b) < indexHead+4 || string(b[:len(indexMagic)]) != indexMagic {
		return nil, errBadIndex
	}
	if le.Uint32(b[len(b)-4:]) != crc32.Checksum(b[:len(b)-4], castagnoli) {
		return nil, errBadIndex
	}
	b = b[len(indexMagic) : len(b)-4]
	if [32]byte(b) != fingerprint {
		return nil, errForeignIndex
	}
	b = b[32:]
	blocks, receipts := le.Uint64(b), le.Uint64(b[8:])
	x := &index{headTime: le.Uint64(b[16:]), td: new(big.Int).SetBytes(b[24:56]), head: genesis}
	b = b[56:]
	if blocks > uint64(len(b)) || receipts > blocks || uint64(len(b)) != blocks*(entryBytes+orderBytes)+receipts*spanBytes {
		return nil, errBadIndex
	}
	x.blocks = make([]entry, blocks)
	for i := range x.blocks {
		x.blocks[i] = entry{hash: common.Hash(b[:32]), at: le.Uint64(b[32:]), header: le.Uint32(b[40:]), body: le.Uint32(b[44:])}
		b = b[entryBytes:]
	}
	x.byHash = make([]uint32, blocks)
	for i := range x.byHash {
		x.byHash[i] = le.Uint32(b)
		if uint64(x.byHash[i]) >= blocks {
			return nil, errBadIndex
		}
		b = b[orderBytes:]
	}
	x.receipts = make([]span, receipts)
	for i := range x.receipts {
		x.receipts[i] = span{at: le.Uint64(b), size: le.Uint32(b[8:])}
		b = b[spanBytes:]
	}
	if blocks > 0 {
		x.head = x.blocks[blocks-1].hash
	}
	return x, nil
}

// extent is how large the files are that an index is about, unpacked.
type extent struct {
	blocks   []int64 // bytes of each file
	receipts int64   // 0 if there is no file
}

// most is how large an index can be: a header alone takes more bytes in its file than a block does in the index.
func (e extent) most() int64 {
	most := int64(indexHead + 4)
	for _, size := range e.blocks {
		most += size
	}
	return most
}

// check says why an index cannot be that of files of such an extent. All that is read by it afterwards is within them, and no
// larger than a file may have it.
func (x *index) check(e extent) error {
	end := uint64(0)
	for i := range x.blocks {
		b := &x.blocks[i]
		file, size := fileOf(b.at), int64(b.header)+int64(b.body)
		if file >= len(e.blocks) || b.at < end || size > maxItem || offsetOf(b.at)+size > e.blocks[file] {
			return fmt.Errorf("%w: block %d is not where it may be", errBadIndex, i+1)
		}
		end = b.at + uint64(size)
	}
	for i := range x.byHash[:max(len(x.byHash), 1)-1] {
		if x.blocks[x.byHash[i]].hash.Cmp(x.blocks[x.byHash[i+1]].hash) >= 0 {
			return fmt.Errorf("%w: the blocks are not in the order of their hashes", errBadIndex)
		}
	}
	end = 0
	for i, s := range x.receipts {
		if s.at < end || s.size > maxItem || s.at > uint64(e.receipts) || uint64(s.size) > uint64(e.receipts)-s.at {
			return fmt.Errorf("%w: the receipts of block %d are not where they may be", errBadIndex, i+1)
		}
		end = s.at + uint64(s.size)
	}
	return nil
}

// readIndex reads an index file about files of an extent. The error names the file.
func readIndex(file string, fingerprint [32]byte, genesis common.Hash, e extent) (*index, error) {
	info, err := os.Stat(file)
	if err != nil {
		return nil, err
	}
	if info.Size() > e.most() {
		return nil, fmt.Errorf("%s: %w: it has %d bytes, more than the chain", file, errBadIndex, info.Size())
	}
	b, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	x, err := decodeIndex(b, fingerprint, genesis)
	if err == nil {
		err = x.check(e)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	return x, nil
}

// temporaries are the names of files that [writeFile] may have left, in the directory of a chain.
var temporaries = []string{indexFile + ".*.tmp", "blocks-*.rlp.*.tmp", "receipts-*.rlp.*.tmp"}

// matching are the files of a directory whose names match a pattern, which must be well formed. Of the name of the directory
// nothing is a pattern, other than with filepath.Glob.
func matching(dir, pattern string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	var files []string
	for _, e := range entries {
		if ok, _ := filepath.Match(pattern, e.Name()); ok {
			files = append(files, filepath.Join(dir, e.Name()))
		}
	}
	return files, nil
}

// removeTemporaries removes what a start that was interrupted has left in a directory, and returns the names.
func removeTemporaries(dir string) (removed []string, err error) {
	for _, pattern := range temporaries {
		files, e := matching(dir, pattern)
		err = errors.Join(err, e)
		for _, file := range files {
			if e := os.Remove(file); e != nil {
				err = errors.Join(err, e)
				continue
			}
			removed = append(removed, file)
		}
	}
	return removed, err
}

// writeFile writes a file so that it is there either whole or not at all.
func writeFile(file string, write func(*os.File) error) error {
	f, err := os.CreateTemp(filepath.Dir(file), filepath.Base(file)+".*.tmp")
	if err != nil {
		return err
	}
	err = write(f)
	if err == nil {
		err = f.Sync()
	}
	if e := f.Close(); err == nil {
		err = e
	}
	if err == nil {
		err = os.Rename(f.Name(), file)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", file, errors.Join(err, os.Remove(f.Name())))
	}
	return nil
}
