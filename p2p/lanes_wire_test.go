package p2p_test

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"net"
	"testing"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/rlp"

	"github.com/sennit-net/sennit/internal/lanes"
	"github.com/sennit-net/sennit/p2p"
)

// lanesCap is the offer of lanes/1.
var lanesCap = p2p.Cap{Name: "lanes", Version: 1}

// laneWire is a remote node that has agreed on lanes/1 and seals records of the test's own making.
type laneWire struct {
	*wire
	sealer *lanes.Sealer
	opener *lanes.Opener
	in     io.Reader
	unseen []lanes.Frame // of the record that was read last
}

// offerLanes exchanges Hellos of version 5 with lanes/1 and the named protocols among the capabilities, and derives the
// keys from what doctor, if not nil, makes of our own Hello's data.
func offerLanes(t testing.TB, n *node, doctor func([]byte), names ...string) *laneWire {
	t.Helper()
	w := dialWire(t, n)
	caps := []p2p.Cap{lanesCap}
	for _, name := range names {
		caps = append(caps, p2p.Cap{Name: name, Version: 1})
	}
	payload, err := rlp.EncodeToBytes(&greeting{5, "raw/lanes", caps, 0, crypto.FromECDSAPub(&w.key.PublicKey)[1:]})
	if err != nil {
		t.Fatal(err)
	}
	w.send(0, payload)
	code, theirs, _, err := w.read()
	if err != nil || code != 0 {
		t.Fatalf("message %#x %x instead of Hello, error %v", code, theirs, err)
	}
	var g greeting
	if err := rlp.DecodeBytes(theirs, &g); err != nil {
		t.Fatal(err)
	}
	secret, transcript, ok := w.Binding()
	if !ok {
		t.Fatal("no binding")
	}
	ours := append([]byte{0x80}, payload...)
	if doctor != nil {
		doctor(ours)
	}
	transcript.Write(ours)
	transcript.Write(append([]byte{0x80}, theirs...))
	out, in, err := lanes.Derive(secret, [sha256.Size]byte(transcript.Sum(nil)))
	if err != nil {
		t.Fatal(err)
	}
	l := &laneWire{wire: w}
	if l.sealer, err = lanes.NewSealer(out); err != nil {
		t.Fatal(err)
	}
	if l.opener, err = lanes.NewOpener(in); err != nil {
		t.Fatal(err)
	}
	l.in = io.MultiReader(bytes.NewReader(w.Detach().Buffered), w.fd)
	return l
}

// put sends a record.
func (l *laneWire) put(plain []byte) {
	l.t.Helper()
	record := append(make([]byte, lanes.PrefixSize, lanes.MaxRecord), plain...)
	if _, err := l.fd.Write(l.sealer.Seal(record)); err != nil {
		l.t.Fatal(err)
	}
}

// frame reads a frame.
func (l *laneWire) frame() (lanes.Frame, error) {
	l.t.Helper()
	for len(l.unseen) == 0 {
		record := make([]byte, lanes.PrefixSize, lanes.MaxRecord)
		if _, err := io.ReadFull(l.in, record); err != nil {
			return lanes.Frame{}, err
		}
		size, err := lanes.RecordSize(record)
		if err != nil {
			l.t.Fatalf("a record begins with %x", record)
		}
		record = record[:size]
		if _, err := io.ReadFull(l.in, record[lanes.PrefixSize:]); err != nil {
			return lanes.Frame{}, err
		}
		plain, err := l.opener.Open(record)
		if err != nil {
			l.t.Fatal(err)
		}
		parser := lanes.Parse(plain)
		for {
			var f lanes.Frame
			more, err := parser.Next(&f)
			if err != nil {
				l.t.Fatal(err)
			}
			if !more {
				break
			}
			l.unseen = append(l.unseen, f)
		}
	}
	f := l.unseen[0]
	l.unseen = l.unseen[1:]
	return f, nil
}

// awaitFrame reads up to a frame of the type.
func (l *laneWire) awaitFrame(what lanes.Type) lanes.Frame {
	l.t.Helper()
	for {
		f, err := l.frame()
		if err != nil {
			l.t.Fatalf("waiting for a frame of type %d: %v", what, err)
		}
		if f.Type == what {
			return f
		}
	}
}

// awaitEnd reads up to the end of the connection and returns the last frame.
func (l *laneWire) awaitEnd() (last lanes.Frame) {
	l.t.Helper()
	for {
		f, err := l.frame()
		switch {
		case err == nil:
			last = f
		case errors.Is(err, io.EOF), isReset(err):
			l.fd.Close()
			return last
		default:
			l.t.Fatal("waiting for the end:", err)
		}
	}
}

// tap is a connection that keeps what goes through it.
type tap struct {
	net.Conn
	sent, got bytes.Buffer // each used by one goroutine at a time, and by the test after the end
}

func (t *tap) Write(p []byte) (int, error) {
	n, err := t.Conn.Write(p)
	t.sent.Write(p[:n])
	return n, err
}

func (t *tap) Read(p []byte) (int, error) {
	n, err := t.Conn.Read(p)
	t.got.Write(p[:n])
	return n, err
}
