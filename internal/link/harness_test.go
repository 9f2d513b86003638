package link

import (
	"crypto/rand"
	"net"
	"testing"

	"github.com/ethereum/go-ethereum/crypto/keccak"
	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/internal/frame"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// framings returns the two ends of a classic framing with random secrets.
func framings(t testing.TB, snappy bool) (a, b Framing) {
	var key, seedA, seedB [32]byte
	rand.Read(key[:])
	rand.Read(seedA[:])
	rand.Read(seedB[:])
	end := func(out, in []byte) Framing {
		egress, ingress := keccak.NewLegacyKeccak256(), keccak.NewLegacyKeccak256()
		egress.Write(out)
		ingress.Write(in)
		s, err := frame.NewSealer(key[:], key[:], egress)
		if err != nil {
			t.Fatal(err)
		}
		o, err := frame.NewOpener(key[:], key[:], ingress)
		if err != nil {
			t.Fatal(err)
		}
		return RLPx(s, o, snappy)
	}
	return end(seedA[:], seedB[:]), end(seedB[:], seedA[:])
}

// tcpPair returns the two ends of a TCP connection on the loopback interface.
func tcpPair(t testing.TB) (a, b net.Conn) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	a, err = net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	b, err = ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Close(); b.Close() })
	return a, b
}

// linkPair returns two running links over the given connection; change, if not nil, edits both configurations. The links
// are ended when the test is over.
func linkPair(t testing.TB, ca, cb net.Conn, snappy bool, lanes []LaneConfig, change func(a, b *Config)) (a, b *Link) {
	fa, fb := framings(t, snappy)
	cfgA := Config{Conn: ca, Framing: fa, Lanes: lanes}
	cfgB := Config{Conn: cb, Framing: fb, Lanes: lanes}
	if change != nil {
		change(&cfgA, &cfgB)
	}
	a, b = New(cfgA), New(cfgB)
	run(t, a)
	run(t, b)
	return a, b
}

// run runs a link in the background and returns a channel with the cause of its end.
func run(t testing.TB, l *Link) <-chan Cause {
	done, cause := make(chan struct{}), make(chan Cause, 1)
	go func() {
		cause <- l.Run()
		close(done)
	}()
	t.Cleanup(func() {
		l.End(8, errTestOver, "")
		<-done
	})
	return cause
}
