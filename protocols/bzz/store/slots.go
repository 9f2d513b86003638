package store

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"math/bits"
	"os"

	"github.com/sennit-net/sennit/protocols/bzz/chunk"
)

// The file of chunks is an array of slots of one size:
//
//	checksum 4 | length of the data 2 | address 32 | data, up to 4104 | unused
//
// Integers are little-endian. The checksum is CRC-32C of everything between itself and the end of the data. Nothing in the
// file says which slots are in use: the index does.
const (
	recordHead = 4 + 2 + chunk.AddressSize

	// SlotSize is what each chunk takes of a store's capacity, in bytes, however short it is.
	SlotSize = recordHead + chunk.MaxDataSize

	// runSlots is how many neighbouring slots are written with one call.
	runSlots = 64
)

// errRecord is a slot that does not hold the chunk it should.
var errRecord = errors.New("store: slot does not hold the chunk")

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// appendRecord appends the record of c to b.
func appendRecord(b []byte, c chunk.Chunk) []byte {
	start := len(b)
	addr := c.Address()
	b = append(b, 0, 0, 0, 0)
	b = binary.LittleEndian.AppendUint16(b, uint16(len(c.Data())))
	b = append(b, addr[:]...)
	b = append(b, c.Data()...)
	binary.LittleEndian.PutUint32(b[start:], crc32.Checksum(b[start+4:], castagnoli))
	return b
}

// parseRecord returns the chunk in b, which keeps b, if it is a whole record of addr, else [errRecord].
func parseRecord(b []byte, addr chunk.Address) (chunk.Chunk, error) {
	if len(b) < recordHead || len(b) != recordHead+int(binary.LittleEndian.Uint16(b[4:])) {
		return chunk.Chunk{}, errRecord
	}
	if [chunk.AddressSize]byte(b[6:]) != addr || binary.LittleEndian.Uint32(b) != crc32.Checksum(b[4:], castagnoli) {
		return chunk.Chunk{}, errRecord
	}
	return chunk.Trusted(addr, b[recordHead:])
}

// slotFile is the file of chunks. Reading is safe at any time; everything else belongs to the store's writeLoop.
type slotFile struct {
	file *os.File
	most int64    // slots that the file had when it was opened
	used []uint64 // a bit for each slot
	hint int      // no slot below 64*hint is free
	run  []byte   // records of neighbouring slots that wait to be written, starting at slot first
	// first is the slot that run starts at, next the one that would continue it.
	first, next uint32
}

func openSlots(path string) (*slotFile, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &slotFile{file: f, most: (info.Size() + SlotSize - 1) / SlotSize}, nil
}

// claim marks a slot as used. It fails if the slot is used already, or is not in the file; that
// nothing is in the file is for whoever opens the store to see.
func (s *slotFile) claim(slot uint32) error {
	if s.most > 0 && int64(slot) >= s.most {
		return fmt.Errorf("slot %d of %d", slot, s.most)
	}
	for int(slot/64) >= len(s.used) {
		s.used = append(s.used, 0)
	}
	mask := uint64(1) << (slot % 64)
	if s.used[slot/64]&mask != 0 {
		return fmt.Errorf("slot %d is used twice", slot)
	}
	s.used[slot/64] |= mask
	return nil
}

// take marks the lowest free slot as used and returns it.
func (s *slotFile) take() uint32 {
	for ; s.hint < len(s.used); s.hint++ {
		if free := ^s.used[s.hint]; free != 0 {
			bit := bits.TrailingZeros64(free)
			s.used[s.hint] |= 1 << bit
			return uint32(64*s.hint + bit)
		}
	}
	s.used = append(s.used, 1)
	return uint32(64 * s.hint)
}

// release marks a slot as free.
func (s *slotFile) release(slot uint32) {
	s.used[slot/64] &^= 1 << (slot % 64)
	s.hint = min(s.hint, int(slot/64))
}

// trim gives the disk space after the last used slot back.
func (s *slotFile) trim() error {
	for len(s.used) > 0 && s.used[len(s.used)-1] == 0 {
		s.used = s.used[:len(s.used)-1]
	}
	want := int64(len(s.used)) * 64 * SlotSize
	info, err := s.file.Stat()
	if err != nil || info.Size() <= want {
		return err
	}
	return s.file.Truncate(want)
}

// write puts c into a slot, with the next write if that is to the slot after it, else with the next flush.
func (s *slotFile) write(slot uint32, c chunk.Chunk) error {
	if len(s.run) > 0 && (slot != s.next || len(s.run) >= runSlots*SlotSize) {
		if err := s.flush(); err != nil {
			return err
		}
	}
	if len(s.run) == 0 {
		s.first = slot
	}
	s.run = appendRecord(s.run, c)
	for len(s.run) < int(slot-s.first+1)*SlotSize { // a short chunk
		s.run = append(s.run, 0)
	}
	s.next = slot + 1
	return nil
}

// flush hands what write has gathered to the operating system.
func (s *slotFile) flush() error {
	_, err := s.file.WriteAt(s.run, int64(s.first)*SlotSize)
	s.run = s.run[:0]
	return err
}

// read returns the chunk of addr with size bytes of data in a slot. If it is not there, that is [errRecord].
func (s *slotFile) read(slot uint32, size int, addr chunk.Address) (chunk.Chunk, error) {
	b := make([]byte, recordHead+size)
	if _, err := s.file.ReadAt(b, int64(slot)*SlotSize); errors.Is(err, io.EOF) {
		return chunk.Chunk{}, errRecord
	} else if err != nil {
		return chunk.Chunk{}, err
	}
	return parseRecord(b, addr)
}
