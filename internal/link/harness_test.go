package link

import (
	"crypto/rand"
	"fmt"
	"io"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto/keccak"
	"github.com/golang/snappy"
	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/internal/frame"
	"github.com/sennit-net/sennit/internal/lanes"
	"github.com/sennit-net/sennit/trace"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// framingKind is one way of carrying messages. Every framing has to pass the tests that take one.
type framingKind struct {
	name string
	pair func(t testing.TB) (a, b Framing)
}

var framingKinds = []framingKind{
	{"rlpx with snappy", func(t testing.TB) (a, b Framing) { return framings(t, true) }},
	{"rlpx", func(t testing.TB) (a, b Framing) { return framings(t, false) }},
	{"lanes/1", laneFramings},
}

// connKinds are the connections those tests use.
var connKinds = []struct {
	name string
	pair func(t testing.TB) (a, b net.Conn)
}{
	{"tcp", tcpPair},
	{"net.Pipe", func(testing.TB) (a, b net.Conn) { return net.Pipe() }},
}

// codec is one end of a classic connection after its handshake.
type codec struct {
	sealer *frame.Sealer
	opener *frame.Opener
}

// codecs returns both ends with random secrets.
func codecs(t testing.TB) (a, b codec) {
	var key, seedA, seedB [32]byte
	rand.Read(key[:])
	rand.Read(seedA[:])
	rand.Read(seedB[:])
	end := func(out, in []byte) codec {
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
		return codec{s, o}
	}
	return end(seedA[:], seedB[:]), end(seedB[:], seedA[:])
}

// framings returns the two ends of a classic framing with random secrets.
func framings(t testing.TB, snappy bool) (a, b Framing) {
	ca, cb := codecs(t)
	return RLPx(ca.sealer, ca.opener, snappy), RLPx(cb.sealer, cb.opener, snappy)
}

// laneFramings returns the two ends of lanes/1 with random secrets.
func laneFramings(t testing.TB) (a, b Framing) {
	var secret [32]byte
	rand.Read(secret[:])
	out, in, err := lanes.Derive(secret[:], secret)
	must(t, err)
	end := func(out, in lanes.Key) Framing {
		s, err := lanes.NewSealer(out)
		must(t, err)
		o, err := lanes.NewOpener(in)
		must(t, err)
		return Lanes(s, o)
	}
	return end(out, in), end(in, out)
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
func linkPair(t testing.TB, ca, cb net.Conn, snappy bool, protocols []LaneConfig, change func(a, b *Config)) (a, b *Link) {
	fa, fb := framings(t, snappy)
	cfgA := Config{Conn: ca, Framing: fa, Lanes: protocols}
	cfgB := Config{Conn: cb, Framing: fb, Lanes: protocols}
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

// must ends the test if there is an error.
func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// write writes a message of the given payload to a lane.
func write(l *Lane, code uint64, payload []byte) error {
	return l.Write(code, uint32(len(payload)), &plainReader{payload})
}

// plainReader is an io.Reader and nothing else.
type plainReader struct{ rest []byte }

func (r *plainReader) Read(p []byte) (int, error) {
	if len(r.rest) == 0 {
		return 0, io.EOF
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

// read returns the code and payload of a lane's next message.
func read(t testing.TB, l *Lane) (uint64, []byte) {
	t.Helper()
	m, err := l.Read()
	must(t, err)
	p, err := io.ReadAll(m)
	must(t, err)
	if len(p) != int(m.Size) {
		t.Fatalf("message of %d bytes has %d", m.Size, len(p))
	}
	return m.Code, p
}

// randomBytes returns n bytes that cannot be compressed.
func randomBytes(n int) []byte {
	p := make([]byte, n)
	rand.Read(p)
	return p
}

// raw is a remote without a link: it knows the keys, and sends and sees frames as they are.
type raw struct {
	codec
	conn   net.Conn
	snappy bool
}

// newRaw returns a remote, and a link over the other end of its connection that is not running yet.
func newRaw(t testing.TB, local, remote net.Conn, snappy bool, protocols []LaneConfig, change func(*Config)) (*raw, *Link) {
	ours, theirs := codecs(t)
	cfg := Config{Conn: local, Framing: RLPx(ours.sealer, ours.opener, snappy), Lanes: protocols}
	if change != nil {
		change(&cfg)
	}
	return &raw{codec: theirs, conn: remote, snappy: snappy}, New(cfg)
}

// seal returns the frame with the given data, which should start with a code.
func (r *raw) seal(data []byte) []byte {
	f := make([]byte, frame.SealedSize(len(data)))
	copy(f[frame.HeaderSize:], data)
	r.sealer.Seal(f, len(data))
	return f
}

// message returns the frame of a message, compressed if the connection is.
func (r *raw) message(code uint64, payload []byte) []byte {
	if r.snappy {
		payload = snappy.Encode(nil, payload)
	}
	return r.wire(code, payload)
}

// wire returns the frame of a message whose payload travels as given.
func (r *raw) wire(code uint64, payload []byte) []byte {
	return r.seal(append(frame.AppendCode(nil, code), payload...))
}

// next reads one frame and returns its code and the payload as it travelled.
func (r *raw) next() (code uint64, payload []byte, err error) {
	head := make([]byte, frame.HeaderSize)
	if _, err := io.ReadFull(r.conn, head); err != nil {
		return 0, nil, err
	}
	n, _, err := r.opener.Open(head)
	if err != nil {
		return 0, nil, err
	}
	body := make([]byte, frame.PaddedSize(n)+frame.MACSize)
	if _, err := io.ReadFull(r.conn, body); err != nil {
		return 0, nil, err
	}
	r.opener.OpenBody(body[:frame.PaddedSize(n)])
	if err := r.opener.OpenMAC(body[frame.PaddedSize(n):]); err != nil {
		return 0, nil, err
	}
	return frame.SplitCode(body[:n])
}

// collect reads frames in the background until the connection ends, and hands out what it saw, followed by the error.
func (r *raw) collect() <-chan seen {
	out := make(chan seen, 1<<16)
	go func() {
		defer close(out)
		for {
			code, payload, err := r.next()
			out <- seen{code, payload, err, time.Now()}
			if err != nil {
				return
			}
		}
	}()
	return out
}

type seen struct {
	code    uint64
	payload []byte
	err     error
	at      time.Time
}

func (s seen) String() string {
	if s.err != nil {
		return s.err.Error()
	}
	return fmt.Sprintf("%#x:%x", s.code, s.payload)
}

// events is a Recorder that keeps everything.
type events struct {
	mu  sync.Mutex
	all []trace.Event
}

func (r *events) Record(e trace.Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if m, ok := e.(*trace.Message); ok {
		c := *m // the one event that is reused
		e = &c
	}
	r.all = append(r.all, e)
}

// recorded returns the events of one type.
func recorded[E trace.Event](r *events) (found []E) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, e := range r.all {
		if e, ok := e.(E); ok {
			found = append(found, e)
		}
	}
	return found
}

func recordedDrops(r *events) []*trace.Dropped { return recorded[*trace.Dropped](r) }
