package chainfile

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/ethereum/go-ethereum/common"
)

// source is a file that is open, unpacked if need be.
type source struct {
	path      string // as the user named it
	file      *os.File
	size      int64  // of the file that the user named
	changed   int64  // its time of change, in nanoseconds
	temporary string // to be removed in the end; "" if there is none
}

// openSource opens a file. If it is packed with gzip it is unpacked into dir, where it stays for the next time, under a name
// that begins with name; without dir into a temporary file.
func openSource(path, dir, name string) (*source, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if !info.Mode().IsRegular() {
		return nil, errors.Join(fmt.Errorf("%s: not a regular file", path), f.Close())
	}
	s := &source{path: path, file: f, size: info.Size(), changed: info.ModTime().UnixNano()}
	var magic [2]byte
	if _, err := f.ReadAt(magic[:], 0); err != nil || !bytes.Equal(magic[:], []byte{0x1f, 0x8b}) {
		return s, nil // an empty file has no blocks
	}
	err = s.unpack(dir, name)
	if e := f.Close(); err == nil {
		err = e
	}
	if err != nil {
		return nil, err
	}
	return s, nil
}

// unpack replaces s.file by one that is not packed.
func (s *source) unpack(dir, name string) error {
	if dir == "" {
		f, err := os.CreateTemp("", "sennit-chain-*.rlp")
		if err != nil {
			return err
		}
		if err := s.unpackInto(f); err != nil {
			return errors.Join(err, f.Close(), os.Remove(f.Name()))
		}
		s.file, s.temporary = f, f.Name()
		return nil
	}
	id := fingerprint(common.Hash{}, s)
	file := filepath.Join(dir, name+"-"+hex.EncodeToString(id[:8])+".rlp")
	if _, err := os.Stat(file); err != nil {
		old, err := matching(dir, name+"-*.rlp")
		if err != nil {
			return err
		}
		if err := writeFile(file, s.unpackInto); err != nil {
			return err
		}
		for _, f := range old {
			if err := os.Remove(f); err != nil {
				return err
			}
		}
	}
	f, err := os.Open(file)
	if err != nil {
		return err
	}
	s.file = f
	return nil
}

func (s *source) unpackInto(f *os.File) error {
	r, err := gzip.NewReader(s.file)
	if err != nil {
		return fmt.Errorf("%s: %w", s.path, err)
	}
	n, err := io.Copy(f, r)
	if err != nil {
		return fmt.Errorf("%s: unpacking, after %d bytes: %w", s.path, n, err)
	}
	return nil
}

// close closes the file.
func (s *source) close() error {
	err := s.file.Close()
	if s.temporary != "" {
		err = errors.Join(err, os.Remove(s.temporary))
	}
	return err
}

// fingerprint tells files of a chain from others, and from what they were before a change. A file that is nil is one that is not there.
func fingerprint(genesis common.Hash, files ...*source) [32]byte {
	h := sha256.New()
	h.Write(genesis[:])
	for _, s := range files {
		var b [16]byte
		if s != nil {
			binary.LittleEndian.PutUint64(b[:], uint64(s.size))
			binary.LittleEndian.PutUint64(b[8:], uint64(s.changed))
		}
		h.Write(b[:])
	}
	return [32]byte(h.Sum(nil))
}
