package chainfile

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
)

// maxItem is the largest block, or list of receipts, that a file may hold: several times of what a network has ever taken.
const maxItem = 256 << 20

// What is wrong with a file, apart from what [os] says.
var (
	errNoList    = errors.New("not an RLP list")
	errSize      = errors.New("the size of the RLP list is not in its shortest form")
	errTruncated = errors.New("truncated")
)

// stream reads RLP lists one after another from a file.
type stream struct {
	r         *bufio.Reader
	off, size int64 // where the next list begins, and where the file ends
	buf       []byte
}

func newStream(f *os.File) (*stream, error) {
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	return &stream{r: bufio.NewReaderSize(f, 1<<20), size: info.Size()}, nil
}

// next returns the next list, which is good until next is called again, and the offset it begins at; io.EOF at the end of
// the file. Errors are about the list at that offset.
func (s *stream) next() (list []byte, at int64, err error) {
	at = s.off
	head, size, err := s.head()
	if err != nil {
		return nil, at, err
	}
	total := int64(head) + size
	switch {
	case total > s.size-at:
		return nil, at, fmt.Errorf("%w: the list has %d bytes, the file %d more", errTruncated, total, s.size-at)
	case total > maxItem:
		return nil, at, fmt.Errorf("the list has %d bytes, the most is %d", total, maxItem)
	}
	if int64(cap(s.buf)) < total {
		s.buf = make([]byte, total+total/4)
	}
	list = s.buf[:total]
	if _, err := io.ReadFull(s.r, list); err != nil {
		return nil, at, fmt.Errorf("%w: %w", errTruncated, err)
	}
	s.off += total
	return list, at, nil
}

// head looks at how many bytes the head of the next list has, and how many come after it.
func (s *stream) head() (head int, size int64, err error) {
	b, err := s.r.Peek(1)
	if err != nil {
		return 0, 0, err
	}
	switch {
	case b[0] < 0xc0:
		return 0, 0, errNoList
	case b[0] < 0xf8:
		return 1, int64(b[0] - 0xc0), nil
	}
	n := int(b[0] - 0xf7)
	if b, err = s.r.Peek(1 + n); err != nil {
		return 0, 0, errTruncated
	}
	if b[1] == 0 {
		return 0, 0, errSize
	}
	var v uint64
	for _, digit := range b[1:] {
		v = v<<8 | uint64(digit)
	}
	switch {
	case v < 56:
		return 0, 0, errSize
	case v > 1<<62:
		return 0, 0, errTruncated
	}
	return 1 + n, int64(v), nil
}
