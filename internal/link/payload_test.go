package link

import (
	"bytes"
	"errors"
	"io"
	"testing"
	"testing/iotest"

	"github.com/sennit-net/sennit/internal/buffer"
)

// pooled returns a message whose payload is in a buffer of its own.
func pooled(payload []byte) *Message {
	m := &Message{Size: uint32(len(payload)), buf: buffer.Get(len(payload))}
	m.rest = m.buf.B
	copy(m.rest, payload)
	return m
}

func TestAMessageIsAReaderOfItsPayload(t *testing.T) {
	for _, n := range []int{0, 1, 300, 70_000} {
		want := randomBytes(n)
		if err := iotest.TestReader(pooled(want), want); err != nil {
			t.Errorf("%d bytes: %v", n, err)
		}
	}
}

func TestEveryWayToReadAMessageTakesTurnsWithTheOthers(t *testing.T) {
	m := pooled([]byte("abcdefghij"))
	step := func(name, want string, left int, do func() (string, error), wantErr error) {
		t.Helper()
		got, err := do()
		if got != want || !errors.Is(err, wantErr) || m.Len() != left {
			t.Errorf("%s: %q, %v, %d left; want %q, %v, %d", name, got, err, m.Len(), want, wantErr, left)
		}
	}
	read := func(n int) func() (string, error) {
		return func() (string, error) {
			p := make([]byte, n)
			n, err := m.Read(p)
			return string(p[:n]), err
		}
	}
	readByte := func() (string, error) {
		c, err := m.ReadByte()
		if err != nil {
			return "", err
		}
		return string(c), nil
	}
	writeTo := func(w io.Writer) func() (string, error) {
		return func() (string, error) {
			var b bytes.Buffer
			_, err := m.WriteTo(io.MultiWriter(&b, w))
			return b.String(), err
		}
	}
	errFull := errors.New("full")
	step("Read", "abc", 7, read(3), nil)
	step("Read of nothing", "", 7, read(0), nil)
	step("ReadByte", "d", 6, readByte, nil)
	step("WriteTo a writer that fails", "", 4, func() (string, error) {
		n, err := m.WriteTo(limitedWriter{2, errFull})
		if n != 2 {
			t.Errorf("%d bytes written, want 2", n)
		}
		return "", err
	}, errFull)
	step("WriteTo", "ghij", 0, writeTo(io.Discard), nil)
	if m.buf != nil {
		t.Error("the buffer of a message that was read to its end is kept")
	}
	step("Read at the end", "", 0, read(3), io.EOF)
	step("Read of nothing at the end", "", 0, read(0), nil)
	step("ReadByte at the end", "", 0, readByte, io.EOF)
	step("WriteTo at the end", "", 0, writeTo(io.Discard), nil)
}

type limitedWriter struct {
	n   int
	err error
}

func (w limitedWriter) Write(p []byte) (int, error) { return w.n, w.err }

func TestAWriterThatLiesAboutItsCountDoesNoHarm(t *testing.T) {
	for _, n := range []int{-5, 100} {
		m := pooled([]byte("abc"))
		m.WriteTo(limitedWriter{n, io.ErrShortWrite})
		if left := m.Len(); left != 0 && left != 3 {
			t.Errorf("a count of %d leaves %d bytes", n, left)
		}
		m.Discard()
	}
}

func TestDiscardGivesTheBufferBackOnce(t *testing.T) {
	m := pooled(make([]byte, 5000))
	m.Read(make([]byte, 10))
	for range 3 {
		m.Discard() // a second Free would panic
		if m.buf != nil || m.Len() != 0 {
			t.Fatal("the buffer is kept")
		}
	}
	if _, err := m.Read(make([]byte, 1)); err != io.EOF {
		t.Errorf("Read after Discard: %v", err)
	}
	new(Message).Discard()
}

func TestAReaderKeptAfterItsEndNeverSeesAnotherMessagesBytes(t *testing.T) {
	ca, cb := tcpPair(t)
	a, b := linkPair(t, ca, cb, true, lanesNamed("aaa"), nil)
	for _, size := range []int{10, 200, 5000, 100_000} {
		var kept []*Message
		for i := range 20 {
			must(t, write(a.Lanes()[0], 1, bytes.Repeat([]byte{byte(i + 1)}, size)))
			m, err := b.Lanes()[0].Read()
			must(t, err)
			if i%2 == 0 {
				io.Copy(io.Discard, m)
			} else {
				m.Discard()
			}
			for _, old := range append(kept, m) {
				n, err := old.Read(make([]byte, 100))
				if _, errByte := old.ReadByte(); n != 0 || err != io.EOF || errByte != io.EOF || old.Len() != 0 {
					t.Fatalf("a reader that was at its end reads %d bytes, %v", n, err)
				}
			}
			kept = append(kept, m)
		}
	}
}

func TestAReaderThatIsKeptUnreadKeepsItsBytes(t *testing.T) {
	ca, cb := tcpPair(t)
	a, b := linkPair(t, ca, cb, true, lanesNamed("aaa"), nil)
	var kept []*Message
	for i := range 200 {
		must(t, write(a.Lanes()[0], 1, bytes.Repeat([]byte{byte(i)}, 1+i*i)))
		m, err := b.Lanes()[0].Read()
		must(t, err)
		if i%3 == 0 {
			m.Discard() // its memory may be used again
			continue
		}
		kept = append(kept, m)
	}
	for _, m := range kept {
		c, _ := m.ReadByte()
		p, _ := io.ReadAll(m)
		if len(p)+1 != int(m.Size) || bytes.Count(p, []byte{c}) != len(p) {
			t.Fatalf("message of %d bytes has changed", m.Size)
		}
	}
}

func TestASlabGrowsWithTheTrafficAndItsMessagesShareNoBytes(t *testing.T) {
	var s slab
	var all []*Message
	for i := range 1000 {
		m := s.message(i % (slabPayload + 2))
		if len(m.rest) != int(m.Size) || (m.buf != nil) != (m.Size > slabPayload) {
			t.Fatalf("a message for %d bytes has room for %d", m.Size, len(m.rest))
		}
		for j := range m.rest {
			m.rest[j] = byte(i)
		}
		if m.buf == nil && cap(m.rest) != len(m.rest) {
			t.Fatal("appending to a payload would reach into the next one")
		}
		all = append(all, m)
	}
	for i, m := range all {
		if bytes.Count(m.rest, []byte{byte(i)}) != len(m.rest) {
			t.Fatalf("message %d shares its bytes", i)
		}
	}
	if s.batch != slabMessages {
		t.Errorf("messages are allocated %d at a time", s.batch)
	}
}
