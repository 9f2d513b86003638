package p2p_test

import (
	"bytes"
	"encoding/hex"
	"io"
	"math/rand"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/internal/race"
	"github.com/sennit-net/sennit/p2p"
)

// Whatever a remote sends, the server must go on, the other peers must not notice, and memory must stay in proportion to
// what was sent. All attacks go to one server, one after the other.

// allocBase and allocRatio bound what may be allocated during an attack, the attacker's own part included, in bytes: a
// base for the connection, and so much for each byte that was sent.
const allocBase, allocRatio = 1 << 20, 32

// heapGrowth bounds what is still allocated after the attacks, in bytes.
const heapGrowth = 2 << 20

// attack is a line of the corpus.
type attack struct {
	name    string
	outcome string // "peer", "close" or the payload of a Disconnect in hex; empty if there is but one
	bytes   string // see parse
}

// corpus reads a file of testdata/hostile.
func corpus(t testing.TB, file string) (list []attack) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", "hostile", file))
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line == "" || line[0] == '#' {
			continue
		}
		fields := strings.Split(line, "|")
		a := attack{name: strings.TrimSpace(fields[0]), bytes: fields[len(fields)-1]}
		if len(fields) == 3 {
			a.outcome = strings.TrimSpace(fields[1])
		}
		list = append(list, a)
	}
	if len(list) == 0 {
		t.Fatalf("%s is empty", file)
	}
	return list
}

// parse returns the bytes of an attack: hexadecimal, XX*N for a repetition, NOISE*N for random bytes, and KEY.
func (a *attack) parse(t testing.TB, key []byte) (b []byte) {
	t.Helper()
	for _, word := range strings.Fields(a.bytes) {
		word, times, _ := strings.Cut(word, "*")
		n, err := strconv.Atoi(times)
		if times == "" {
			n, err = 1, nil
		}
		if err != nil {
			t.Fatalf("%s: %v", a.name, err)
		}
		switch word {
		case "NOISE":
			noise := make([]byte, n)
			rand.New(rand.NewSource(int64(len(b) + n))).Read(noise)
			b = append(b, noise...)
		case "KEY":
			b = append(b, key...)
		default:
			part, err := hex.DecodeString(word)
			if err != nil {
				t.Fatalf("%s: %v", a.name, err)
			}
			b = append(b, bytes.Repeat(part, n)...)
		}
	}
	return b
}

// target is the server under attack, with a peer that has nothing to do with it.
type target struct {
	*node
	bystander *wire
	heap      uint64
}

func newTarget(t *testing.T) *target {
	t.Helper()
	lossy := testProtocol("aaa", drain)
	lossy.Overload, lossy.InboxBytes = p2p.OverloadDropNewest(), 100<<10
	srv := startNode(t, func(c *p2p.Config) {
		// Everything is formatted for the log, as text of a remote may be what breaks that.
		c.Logger = log.NewLogger(log.NewTerminalHandlerWithLevel(io.Discard, log.LevelTrace, true))
		c.Recorder = nil
	}, lossy, testProtocol("bbb", echo))
	x := &target{node: srv, bystander: join(t, srv, "aaa", "bbb")}
	roundTrips(x.bystander, 1)
	x.heap = liveHeap()
	return x
}

// liveHeap returns the bytes that are in use, once what is not has been collected; pools need two rounds.
func liveHeap() uint64 {
	for range 3 {
		runtime.GC()
	}
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// survives runs an attack that sends so many bytes, and checks that the bystander has not noticed and how much was
// allocated.
func (x *target) survives(t *testing.T, size int, attack func()) {
	t.Helper()
	x.bystander.fd.SetDeadline(time.Now().Add(patience))
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	attack()
	runtime.ReadMemStats(&after)
	roundTrips(x.bystander, 1)
	if n := after.TotalAlloc - before.TotalAlloc; n > uint64(allocBase+allocRatio*size) && !race.Enabled {
		t.Errorf("%d bytes allocated for %d sent", n, size)
	}
}

// recovers checks that nothing is left of the attacks.
func (x *target) recovers(t *testing.T) {
	t.Helper()
	until(t, "the end of the attackers", func() bool { return x.PeerCount() == 1 })
	roundTrips(x.bystander, 10)
	ping(x.bystander)
	w := join(t, x.node, "aaa", "bbb")
	roundTrips(w, 10)
	w.fd.Close()
	until(t, "the end of the honest peer", func() bool { return x.PeerCount() == 1 })
	if now := liveHeap(); now > x.heap+heapGrowth && !race.Enabled {
		t.Errorf("the heap has grown from %d to %d bytes", x.heap, now)
	}
}

func TestHostileHandshakesAreClosedWithoutAWord(t *testing.T) {
	x := newTarget(t)
	for _, a := range corpus(t, "handshake.txt") {
		t.Run(a.name, func(t *testing.T) {
			b := a.parse(t, nil)
			x.survives(t, len(b), func() {
				fd := dialTCP(t, x.node)
				fd.Write(b)
				fd.CloseWrite()
				answer, err := io.ReadAll(fd)
				if len(answer) > 0 || err != nil && !isReset(err) {
					t.Errorf("answered with %x, %v", answer, err)
				}
				fd.Close()
			})
		})
	}
	x.recovers(t)
}

func TestHostileHellosLeaveTheServerAlone(t *testing.T) {
	x := newTarget(t)
	for _, a := range corpus(t, "hello.txt") {
		t.Run(a.name, func(t *testing.T) {
			key := newTestKey(t)
			b := a.parse(t, crypto.FromECDSAPub(&key.PublicKey)[1:])
			x.survives(t, len(b), func() {
				w := dialWireAs(t, x.node, key)
				f := w.forge()
				f.put(f.seal(b))
				if code, _, _, err := f.read(); (err != nil || code != 0) && a.outcome != "close" {
					t.Fatalf("message %#x instead of the server's Hello, %v", code, err)
				}
				f.Snappy = true
				f.check(a.outcome)
			})
		})
	}
	x.recovers(t)
}

func TestHostileFramesLeaveTheServerAlone(t *testing.T) {
	x := newTarget(t)
	for _, a := range corpus(t, "frames.txt") {
		t.Run(a.name, func(t *testing.T) {
			b := a.parse(t, nil)
			f := join(t, x.node, "aaa", "bbb").forge()
			sealed := f.seal(b)
			x.survives(t, len(b), func() {
				f.put(sealed)
				f.check(a.outcome)
			})
		})
	}
	x.recovers(t)
}

// check expects the outcome of an attack.
func (f *forger) check(outcome string) {
	f.t.Helper()
	if outcome == "peer" {
		says(2, 0xc0)(f)
		f.expect(3, []byte{0xc0})
		says(24, 1, 2, 3)(f)
		f.expect(24, []byte{1, 2, 3})
		f.fd.Close()
		return
	}
	sent, _ := f.farewell()
	if got := hex.EncodeToString(sent); got != outcome && (sent != nil || outcome != "close") {
		f.t.Errorf("the remote is sent Disconnect %q, want %q", got, outcome)
	}
}

func TestHostileFramingLeavesTheServerAlone(t *testing.T) {
	x := newTarget(t)
	for _, a := range []struct {
		name   string
		size   int
		attack func(*forger)
	}{
		{"noise", 4096, func(f *forger) {
			noise := make([]byte, 4096)
			rand.New(rand.NewSource(1)).Read(noise)
			f.put(noise)
		}},
		{"a header whose MAC is wrong", 64, flips(16)},
		{"a header that is wrong", 64, flips(0)},
		{"a body that is wrong", 64, flips(32)},
		{"a body whose MAC is wrong", 64, flips(63)},
		{"a frame that is replayed", 192, func(f *forger) {
			b := f.seal([]byte{16, 0})
			f.put(append(b, b...))
		}},
		{"a large frame that is wrong at its end", 1 << 20, func(f *forger) {
			b := f.seal(append([]byte{24}, f.packed(numbered(1, 1<<20))...))
			b[len(b)-1] ^= 1
			f.put(b)
		}},
		{"16 MiB - 1 announced for a ping, and nothing", 48, func(f *forger) { f.announce(2) }},
		{"16 MiB - 1 announced for aaa, and nothing", 48, func(f *forger) { f.announce(16) }},
		{"16 MiB - 1 announced for bbb, and nothing", 48, func(f *forger) { f.announce(24) }},
		{"16 MiB - 1 announced for nobody, and nothing", 48, func(f *forger) { f.announce(100) }},
	} {
		t.Run(a.name, func(t *testing.T) {
			f := join(t, x.node, "aaa", "bbb").forge()
			x.survives(t, a.size, func() {
				a.attack(f)
				f.fd.CloseWrite()
				f.check("close")
			})
		})
	}
	x.recovers(t)
}

// announce sends the header of the largest frame and the beginning of its body.
func (f *forger) announce(code byte) {
	b := make([]byte, frame.HeaderSize+16)
	f.Sealer.SealHeader(b, frame.MaxSize)
	b[frame.HeaderSize] = code
	f.Sealer.SealBody(b[frame.HeaderSize:])
	f.put(b)
}
