package whispercmd

import (
	"context"
	"crypto/ecdsa"
	"encoding/hex"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/common/hexutil"
	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/log"
	"github.com/ethereum/go-ethereum/p2p/enode"
	"github.com/ethereum/go-ethereum/rpc"
	"go.uber.org/goleak"

	"github.com/sennit-net/sennit/admin"
	"github.com/sennit-net/sennit/p2p"
	"github.com/sennit-net/sennit/protocols/shh"
)

func TestMain(m *testing.M) {
	goleak.VerifyTestMain(m,
		// Of a server's node database: it ends by itself, a second after the database was closed.
		goleak.IgnoreTopFunction("github.com/syndtr/goleveldb/leveldb.(*DB).mpoolDrain"))
}

const patience = 30 * time.Second

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// startNode starts a node as `sennit run` does, with its endpoint, and returns both its addresses.
func startNode(t *testing.T, protocols ...p2p.Protocol) (node *enode.Node, socket string) {
	t.Helper()
	logger := log.NewLogger(log.DiscardHandler())
	w, err := shh.New(shh.Config{Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	if protocols == nil {
		protocols = w.Protocols()
	}
	server := &p2p.Server{Config: p2p.Config{
		PrivateKey: newKey(t), Name: "sennit/test", MaxPeers: 10, ListenAddr: "127.0.0.1:0", NoDiscovery: true, Protocols: protocols, Logger: logger,
	}}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(server.Stop)
	if runtime.GOOS == "windows" {
		return server.Self(), ""
	}
	dir, err := os.MkdirTemp("", "whisper")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	api := shh.NewAPI(w)
	e, err := admin.Listen(admin.Config{IPCPath: filepath.Join(dir, "sennit.ipc"), APIs: append(admin.APIs(server), api.APIs()...), Logger: logger})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.Close()
		api.Close()
	})
	return server.Self(), e.IPCPath()
}

// open returns both kinds of nodes at one that runs.
func open(t *testing.T) map[string]Node {
	t.Helper()
	node, socket := startNode(t)
	nodes := make(map[string]Node)
	var err error
	if nodes["direct"], err = Dial(t.Context(), DialConfig{Name: "sennit/test", Key: newKey(t)}, node); err != nil {
		t.Fatal(err)
	}
	if socket != "" {
		if nodes["remote"], err = Connect(t.Context(), socket); err != nil {
			t.Fatal(err)
		}
	}
	for _, n := range nodes {
		t.Cleanup(n.Close)
	}
	return nodes
}

// heard is what a listener has got, or why it ended.
type heard struct {
	m   *shh.ReceivedMessage
	err error
}

var errOne = errors.New("one is enough")

// listen waits for one message.
func listen(t *testing.T, n Node, f shh.Filter) <-chan heard {
	ch := make(chan heard, 1)
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	go func() {
		var got *shh.ReceivedMessage
		err := n.Listen(ctx, f, func(m *shh.ReceivedMessage) error {
			got = m
			return errOne
		})
		ch <- heard{got, err}
	}()
	return ch
}

func TestMessagesGoFromEitherKindOfNodeToEither(t *testing.T) {
	nodes := open(t)
	key, signer, recipient := shh.NewSymKey(), newKey(t), newKey(t)
	topic := shh.Topic{1, 2, 3, 4}
	for from, sender := range nodes {
		for to, receiver := range nodes {
			sym := listen(t, receiver, shh.Filter{SymKey: key, Topics: []shh.Topic{topic}, From: &signer.PublicKey})
			pair := listen(t, receiver, shh.Filter{PrivateKey: recipient})
			// Whether a listener's subscription has begun cannot be seen from here, so messages are sent until it gets one.
			for sym != nil || pair != nil {
				for _, m := range []shh.Outgoing{
					{SymKey: key, Topic: topic, From: signer, Payload: []byte("hello")}, {To: &recipient.PublicKey, Payload: []byte("hello")},
				} {
					m.TTL, m.WorkTime = 5*time.Second, patience
					if hash, err := sender.Send(t.Context(), m, nil); err != nil || hash == [32]byte{} {
						t.Fatalf("%s to %s: %v, %v", from, to, hash, err)
					}
				}
				select {
				case h := <-sym:
					check(t, h, crypto.FromECDSAPub(&signer.PublicKey), nil)
					sym = nil
				case h := <-pair:
					check(t, h, nil, crypto.FromECDSAPub(&recipient.PublicKey))
					pair = nil
				case <-time.After(100 * time.Millisecond):
				}
			}
		}
	}
}

func check(t *testing.T, h heard, from, to []byte) {
	t.Helper()
	if !errors.Is(h.err, errOne) {
		t.Fatal(h.err)
	}
	if string(h.m.Payload) != "hello" || string(h.m.Sig) != string(from) || string(h.m.To) != string(to) {
		t.Errorf("%+v", h.m)
	}
}

func TestALifeThatIsTooLongIsRefusedByEitherKindOfNode(t *testing.T) {
	for name, n := range open(t) {
		m := shh.Outgoing{To: &newKey(t).PublicKey, TTL: (1<<32 + 5) * time.Second, Work: shh.DefaultMinWork, WorkTime: 1<<63 - 1}
		if hash, err := n.Send(t.Context(), m, nil); err == nil || !strings.Contains(err.Error(), "before the year 2106") {
			t.Errorf("%s: %v, %v", name, hash, err)
		}
	}
}

// behind returns a node that is reached through a connection which passes on nothing to it while held is locked.
func behind(t *testing.T, node *enode.Node, held *sync.Mutex) *enode.Node {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var both sync.WaitGroup
	both.Go(func() {
		in, err := l.Accept()
		if err != nil {
			return
		}
		defer in.Close()
		at, _ := node.TCPEndpoint()
		out, err := net.Dial("tcp", at.String())
		if err != nil {
			return
		}
		both.Go(func() {
			_, _ = io.Copy(in, out)
			in.Close()
		})
		defer out.Close()
		b := make([]byte, 1<<16)
		for n, err := in.Read(b); err == nil; n, err = in.Read(b) {
			held.Lock()
			_, err = out.Write(b[:n])
			held.Unlock()
			if err != nil {
				return
			}
		}
	})
	t.Cleanup(func() {
		l.Close()
		both.Wait()
	})
	return enode.NewV4(node.Pubkey(), net.IP{127, 0, 0, 1}, l.Addr().(*net.TCPAddr).Port, 0)
}

func TestAMessageHasBeenSentWhenItHasArrived(t *testing.T) {
	w, err := shh.New(shh.Config{Logger: log.NewLogger(log.DiscardHandler())})
	if err != nil {
		t.Fatal(err)
	}
	node, _ := startNode(t, w.Protocols()...)
	var held sync.Mutex
	n, err := Dial(t.Context(), DialConfig{Name: "sennit/test", Key: newKey(t)}, behind(t, node, &held))
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	held.Lock()
	timer := time.AfterFunc(2*objection, held.Unlock)
	_, err = n.Send(t.Context(), shh.Outgoing{To: &newKey(t).PublicKey, WorkTime: patience}, nil)
	if got := w.Stats().Received; err != nil || got != 1 {
		t.Errorf("%d have arrived, %v", got, err)
	}
	if timer.Stop() {
		held.Unlock()
	}
}

func TestANodeThatCannotBeReachedIsAnErrorThatSaysWhy(t *testing.T) {
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	other := p2p.Protocol{Name: "zzz", Version: 1, Length: 1, Run: func(_ *p2p.Peer, rw p2p.MsgReadWriter) error {
		_, err := rw.ReadMsg()
		return err
	}}
	rude := p2p.Protocol{Name: shh.ProtocolName, Version: shh.ProtocolVersion, Length: shh.ProtocolLength, Run: func(*p2p.Peer, p2p.MsgReadWriter) error {
		return p2p.DiscUselessPeer
	}}
	without, _ := startNode(t, other)
	refusing, _ := startNode(t, rude)
	for want, node := range map[string]*enode.Node{
		"connection refused":               enode.NewV4(&newKey(t).PublicKey, net.IP{127, 0, 0, 1}, closed.Addr().(*net.TCPAddr).Port, 0),
		"useless peer":                     without,
		"by the remote side: useless peer": refusing,
	} {
		if runtime.GOOS == "windows" && want == "connection refused" {
			want = "dial"
		}
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		n, err := Dial(ctx, DialConfig{Name: "sennit/test", Key: newKey(t)}, node)
		cancel()
		if err == nil {
			n.Close()
		}
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	ctx, cancel := context.WithTimeoutCause(t.Context(), 50*time.Millisecond, errors.New("no answer in 50ms"))
	defer cancel()
	node := enode.NewV4(&newKey(t).PublicKey, net.IP{127, 0, 0, 1}, silent.Addr().(*net.TCPAddr).Port, 0)
	if _, err := Dial(ctx, DialConfig{Name: "sennit/test", Key: newKey(t)}, node); err == nil || !strings.Contains(err.Error(), "no answer in 50ms") {
		t.Errorf("%v", err)
	}
}

func TestListeningEndsWithTheLink(t *testing.T) {
	key := newKey(t)
	for name, n := range open(t) {
		ch := listen(t, n, shh.Filter{PrivateKey: key})
		if name == "direct" {
			n.(*direct).server.Stop()
			if h := <-ch; h.err == nil || !strings.Contains(h.err.Error(), "the link ended") {
				t.Errorf("%s: %v", name, h.err)
			}
			continue
		}
		n.Close()
		if h := <-ch; h.err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// flooding is a namespace shh that has more messages at once, when the first has come, than a client of JSON-RPC keeps. (Until
// the client knows the subscription, the server keeps them.)
type flooding struct{ come, sent chan struct{} }

func (flooding) AddPrivateKey(hexutil.Bytes) string { return "key" }
func (flooding) DeleteKeyPair(string) bool          { return true }

func (f flooding) Messages(ctx context.Context, _ shh.Criteria) (*rpc.Subscription, error) {
	notifier, _ := rpc.NotifierFromContext(ctx)
	sub := notifier.CreateSubscription()
	go func() {
		defer close(f.sent)
		for i := range 21_000 {
			if i == 1 {
				<-f.come
			}
			if notifier.Notify(sub.ID, &shh.ReceivedMessage{}) != nil {
				return
			}
		}
	}()
	return sub, nil
}

func TestAListenerThatIsTooSlowIsNotToldThatTheNodeHasGone(t *testing.T) {
	server, f := rpc.NewServer(), flooding{make(chan struct{}), make(chan struct{})}
	if err := server.RegisterName(shh.ProtocolName, f); err != nil {
		t.Fatal(err)
	}
	defer server.Stop()
	n := &remote{rpc.DialInProc(server)}
	defer n.Close()
	come := sync.OnceFunc(func() { close(f.come) })
	err := n.Listen(t.Context(), shh.Filter{PrivateKey: newKey(t)}, func(*shh.ReceivedMessage) error {
		come()
		<-f.sent
		return nil
	})
	if !errors.Is(err, rpc.ErrSubscriptionQueueOverflow) || !strings.Contains(err.Error(), "the output takes less") {
		t.Error(err)
	}
}

func TestPublicKeysAreReadInEveryFormTheyAreShownIn(t *testing.T) {
	key := newKey(t)
	b := crypto.FromECDSAPub(&key.PublicKey)
	long := hex.EncodeToString(b)
	url := enode.NewV4(&key.PublicKey, net.IP{127, 0, 0, 1}, 1, 1).URLv4()
	for _, text := range []string{long, "0x" + long, long[2:], "0x" + long[2:], url} {
		if got, err := ParsePublicKey(text); err != nil || !got.Equal(&key.PublicKey) {
			t.Errorf("%s: %v", text, err)
		}
	}
	for _, text := range []string{"", "zz", long[4:], "enode://x", long + "00", strings.Repeat("00", 64)} {
		if _, err := ParsePublicKey(text); err == nil {
			t.Errorf("%q is a public key", text)
		}
	}
	if key, err := ParseSymKey("0x" + strings.Repeat("0f", 32)); err != nil || len(key) != 32 {
		t.Errorf("%x, %v", key, err)
	}
	for _, text := range []string{"", "0f", strings.Repeat("0f", 33), strings.Repeat("zz", 32)} {
		if _, err := ParseSymKey(text); err == nil {
			t.Errorf("%q is a symmetric key", text)
		}
	}
}

func TestALineIsPrintableWhateverTheMessageSays(t *testing.T) {
	for payload, want := range map[string]string{
		"hello":            "2023-11-14 22:13:20  0x01020304  unsigned  hello",
		"grüße":            "2023-11-14 22:13:20  0x01020304  unsigned  grüße",
		"two\nlines\x1b[m": `2023-11-14 22:13:20  0x01020304  unsigned  "two\nlines\x1b[m"`,
		"\xff\x00":         "2023-11-14 22:13:20  0x01020304  unsigned  0xff00",
	} {
		if got := Line(&shh.ReceivedMessage{Timestamp: 1_700_000_000, Topic: shh.Topic{1, 2, 3, 4}, Payload: []byte(payload)}); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
	signed := &shh.ReceivedMessage{Sig: append([]byte{4, 0xab, 0xcd, 0xef, 1}, make([]byte, 60)...), Payload: []byte("x")}
	if got := Line(signed); !strings.HasSuffix(got, "  abcdef01  x") {
		t.Errorf("%q", got)
	}
}
