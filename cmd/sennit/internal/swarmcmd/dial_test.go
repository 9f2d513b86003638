package swarmcmd

import (
	"fmt"
	"io"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/ethereum/go-ethereum/crypto"
	"github.com/ethereum/go-ethereum/p2p/enode"

	"github.com/sennit-net/sennit/protocols/bzz"
)

// named returns a node whose address is the name of this host, which is not known to be a private one.
func named(t *testing.T, node *enode.Node) *enode.Node {
	t.Helper()
	return enode.MustParse(fmt.Sprintf("enode://%x@localhost:%d", crypto.FromECDSAPub(node.Pubkey())[1:], node.TCP()))
}

func TestANodeThatMayBeAtAPublicAddressIsAskedForAnotherDialectWhenItLetsUsInAgain(t *testing.T) {
	defer func(d time.Duration) { throttle = d }(throttle)
	throttle = 20 * tick
	_, node := startNode(t, bzz.Config{NoDial: true, Dialects: bzz.Later, SyncDelay: syncDelay})
	var last atomic.Pointer[time.Time]
	public := named(t, through(t, node, func(to io.Writer, from io.Reader) {
		now := time.Now()
		if before := last.Swap(&now); before == nil || now.Sub(*before) >= 15*tick {
			_, _ = io.Copy(to, from)
		}
	}))
	var said []string
	p, err := Dial(t.Context(), testConfig(t), 0, ToPut, []*enode.Node{public}, time.Minute, func(text string) { said = append(said, text) })
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
	if len(said) != 1 || !strings.Contains(said[0], "that is tried in 1s") {
		t.Errorf("told %q", said)
	}
}

func TestWhyNeitherDialectIsSpokenIsToldOfBoth(t *testing.T) {
	_, node := startNode(t, bzz.Config{NoDial: true, Dialects: bzz.Later, SyncDelay: syncDelay})
	var n atomic.Int32
	through := through(t, node, func(to io.Writer, from io.Reader) {
		if n.Add(1) == 1 {
			_, _ = io.Copy(to, from)
		}
	})
	_, err := Dial(t.Context(), testConfig(t), 0, ToPut, []*enode.Node{through}, time.Minute, nil)
	if err == nil || !strings.Contains(err.Error(), "rlpx: ") || !strings.Contains(err.Error(), "in an earlier dialect: ") || !strings.Contains(err.Error(), "useless peer") {
		t.Errorf("%v", err)
	}
}

func TestANodeThatIsNotThereIsNotAskedForAnotherDialect(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	key, err := crypto.GenerateKey()
	if err != nil {
		t.Fatal(err)
	}
	absent := named(t, enode.NewV4(&key.PublicKey, net.IPv4(127, 0, 0, 1), port, 0))
	_, err = Dial(t.Context(), testConfig(t), 0, ToPut, []*enode.Node{absent}, time.Minute, func(text string) { t.Errorf("told %q", text) })
	if err == nil || strings.Contains(err.Error(), "dialect") {
		t.Errorf("%v", err)
	}
}

func TestAKeyThatCannotBeReadIsAnError(t *testing.T) {
	c := testConfig(t)
	p, err := OpenLocal(c, 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer p.Close()
	d := &linked{local: p.(*local)}
	c.Node.NodeKey = t.TempDir() // where there is a directory
	if err := d.dial(t.Context(), c, ToPut, time.Minute); err == nil {
		t.Error("no error")
	}
}
